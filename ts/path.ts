/** One step into a value: a property or index, or a place in a Map or Set that has no name of its own. */
export type Step = string | number | CollectionStep;

export interface CollectionStep {
  readonly kind: 'map value' | 'map key' | 'set element';
  readonly key: unknown;
  readonly index: number;
}

const IDENTIFIER = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;

/** `cart.items[3].total`; `prices.get("a")` for a Map's value; `prices.keys()[0]` and `tags.values()[0]` for keys and elements. */
export function formatPath(root: string, steps: readonly Step[]): string {
  let path = root;
  for (const step of steps) path += formatStep(step);
  return path;
}

function formatStep(step: Step): string {
  if (typeof step === 'number') return `[${step}]`;
  if (typeof step === 'string') return IDENTIFIER.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  if (step.kind === 'map key') return `.keys()[${step.index}]`;
  if (step.kind === 'set element') return `.values()[${step.index}]`;
  return typeof step.key === 'string' || typeof step.key === 'number'
    ? `.get(${JSON.stringify(step.key)})`
    : `.values()[${step.index}]`;
}

/** Where in `root` the very object `sought` is first met, in the order of iteration; undefined when nowhere. */
export function findSteps(root: unknown, sought: object): Step[] | undefined {
  const seen = new Set<object>();
  const pending: Visit[] = [{ value: root, from: undefined, step: '' }];
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    if (visit.value === sought) return trail(visit);
    if (typeof visit.value !== 'object' || visit.value === null || seen.has(visit.value)) continue;
    seen.add(visit.value);
    const children = childrenOf(visit.value);
    for (let i = children.length - 1; i >= 0; i--) {
      const [step, value] = children[i]!;
      pending.push({ value, from: visit, step });
    }
  }
  return undefined;
}

interface Visit {
  readonly value: unknown;
  readonly from: Visit | undefined;
  readonly step: Step;
}

function trail(visit: Visit): Step[] {
  const steps: Step[] = [];
  for (let at = visit; at.from !== undefined; at = at.from) steps.unshift(at.step);
  return steps;
}

function childrenOf(value: object): [Step, unknown][] {
  if (ArrayBuffer.isView(value)) return [];
  if (value instanceof Map) return mapChildren(value);
  if (value instanceof Set) {
    return [...value].map((key: unknown, index) => [{ kind: 'set element', key, index }, key]);
  }
  const isArray = Array.isArray(value);
  return Object.keys(value).map((key) => [isArray ? Number(key) : key, (value as Record<string, unknown>)[key]]);
}

function mapChildren(map: ReadonlyMap<unknown, unknown>): [Step, unknown][] {
  const children: [Step, unknown][] = [];
  let index = 0;
  for (const [key, value] of map) {
    children.push([{ kind: 'map key', key, index }, key], [{ kind: 'map value', key, index }, value]);
    index++;
  }
  return children;
}
