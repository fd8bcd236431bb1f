import { HoldfastError } from './errors.ts';

/**
 * Where a value is in a session. The first step is the attribute's name, each further one leads into the value before
 * it.
 */
export type Path = readonly PathStep[];

/** A property's name, an array's index, or a place in a Map or Set. */
export type PathStep = string | number | CollectionStep;

/** A place in a Map or Set, by its number in the order of iteration. */
export interface CollectionStep {
  readonly kind: 'map value' | 'map key' | 'set element';
  readonly index: number;
  /** Of a Map's value, where it is a string or a number. Other keys are values: no path carries them. */
  readonly key?: string | number | undefined;
}

/** `ERR_INVALID` for an attribute's name that has no UTF-8, and so could not be stored. */
export function checkName(name: string): void {
  if (name.isWellFormed()) return;
  throw new HoldfastError(
    'ERR_INVALID',
    `attribute name ${showText(JSON.stringify(name))} is not well-formed Unicode: it has half of a surrogate pair; complete or remove that`,
    { paths: [[name]] },
  );
}

const NAME = /[\p{L}_$][\p{L}\p{N}_$]*/uy;
const INDEX = /0|[1-9][0-9]*/y;
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/sy;

/**
 * As messages show it: `cart.items[3].total`, `["a name"].x`; `prices.get("a")` for a Map's value; `prices.keys()[0]`
 * and `tags.values()[0]` for keys and elements. The empty path, which is the whole session, is empty text.
 */
export function formatPath(path: Path): string {
  if (!Array.isArray(path) || !path.every(isStep))
    throw new HoldfastError(
      'ERR_INVALID',
      "formatPath takes the steps of a path, such as ['cart', 'items', 3, 'price']",
    );
  return path.map((step, place) => formatStep(step, place === 0)).join('');
}

const PLACES: readonly unknown[] = ['map value', 'map key', 'set element'] satisfies CollectionStep['kind'][];

const isStep = (step: unknown): boolean =>
  typeof step === 'string' ||
  typeof step === 'number' ||
  (typeof step === 'object' && step !== null && PLACES.includes((step as Partial<CollectionStep>).kind));

/** More of a path, or of a name, than this is not shown in a message. */
const SHOWN = 200;

/** As a message shows it: `formatPath`, without the middle of what is long. */
export const showPath = (path: Path): string => showText(formatPath(path));

export function showText(text: string): string {
  if (text.length <= SHOWN) return text;
  return `${text.slice(0, SHOWN / 2)}…${text.slice(-SHOWN / 2)}`.toWellFormed();
}

function formatStep(step: PathStep, first: boolean): string {
  if (typeof step === 'number') return `[${step}]`;
  if (typeof step === 'string') {
    if (matchAt(NAME, step, 0) !== step) return `[${JSON.stringify(step)}]`;
    return first ? step : `.${step}`;
  }
  if (step.kind === 'map key') return `.keys()[${step.index}]`;
  return step.key === undefined
    ? `.values()[${step.index}]`
    : `.get(${typeof step.key === 'string' ? JSON.stringify(step.key) : step.key})`;
}

/**
 * The path that `text` writes down, as `formatPath` does: names after dots or in `["…"]` as JSON has them, indices in
 * `[…]`. `ERR_INVALID` with the offset for anything else, places in Maps and Sets included: those have no name that
 * lasts.
 */
export function parsePath(text: string): Path {
  if (typeof text !== 'string') throw new HoldfastError('ERR_INVALID', 'a path is text, such as cart.items[3].price');
  const steps: PathStep[] = [];
  for (let offset = 0; offset < text.length || steps.length === 0;) {
    const [step, length] =
      text[offset] === '['
        ? parseBracket(text, offset, steps.length === 0)
        : parseName(text, offset, steps.length === 0);
    steps.push(step);
    offset += length;
  }
  return steps;
}

/** A step, and how many characters it took. */
type Parsed = readonly [step: PathStep, length: number];

function parseName(text: string, offset: number, first: boolean): Parsed {
  if (!first && text[offset] !== '.') throw malformed(text, offset, '. or [ is missing');
  const start = first ? offset : offset + 1;
  const name = matchAt(NAME, text, start);
  if (name === undefined)
    throw malformed(text, start, 'a name is missing (other names than identifiers are written ["…"])');
  return [name, start + name.length - offset];
}

function parseBracket(text: string, offset: number, first: boolean): Parsed {
  const start = offset + 1;
  const quoted = matchAt(STRING, text, start);
  const inside = quoted ?? matchAt(INDEX, text, start);
  const step = quoted === undefined ? Number(inside) : unquote(quoted);
  if (inside === undefined || step === undefined || !(typeof step === 'string' || Number.isSafeInteger(step))) {
    throw malformed(text, start, 'an index, or a name in double quotes as JSON has it, is missing');
  }
  if (first && quoted === undefined) throw malformed(text, start, 'a path begins with the name of an attribute');
  const end = start + inside.length;
  if (text[end] !== ']') throw malformed(text, end, '] is missing');
  return [step, end + 1 - offset];
}

function unquote(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined;
  }
}

function matchAt(pattern: RegExp, text: string, offset: number): string | undefined {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0];
}

function malformed(text: string, offset: number, what: string): HoldfastError {
  return new HoldfastError(
    'ERR_INVALID',
    `the path ${JSON.stringify(showText(text))} is malformed at offset ${offset}: ${what}; write it as cart.items[3].price`,
  );
}

/**
 * The way into `root` to where the very object `sought` is first met, in the order of iteration; undefined when
 * nowhere.
 */
export function findSteps(root: unknown, sought: object): PathStep[] | undefined {
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

/** The way to each object in the tree `root` but those in what `isLeaf` says to have none. */
export function stepsIn(root: unknown, isLeaf: (value: object) => boolean): (part: object) => PathStep[] | undefined {
  const visits = new Map<object, Visit>();
  const pending: Visit[] = [{ value: root, from: undefined, step: '' }];
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    const { value } = visit;
    if (typeof value !== 'object' || value === null) continue;
    visits.set(value, visit);
    if (!isLeaf(value))
      for (const [step, child] of childrenOf(value)) pending.push({ value: child, from: visit, step });
  }
  return (part) => {
    const visit = visits.get(part);
    return visit && trail(visit);
  };
}

/** The step from `parent` to its very child `child`; undefined when it is none. */
export function stepTo(parent: object, child: object): PathStep | undefined {
  return childrenOf(parent).find(([, value]) => value === child)?.[0];
}

interface Visit {
  readonly value: unknown;
  readonly from: Visit | undefined;
  readonly step: PathStep;
}

function trail(visit: Visit): PathStep[] {
  const steps: PathStep[] = [];
  for (let at = visit; at.from !== undefined; at = at.from) steps.unshift(at.step);
  return steps;
}

function childrenOf(value: object): [PathStep, unknown][] {
  if (ArrayBuffer.isView(value)) return [];
  if (value instanceof Map) return mapChildren(value);
  if (value instanceof Set) {
    return [...value].map((element: unknown, index) => [{ kind: 'set element', index }, element]);
  }
  const isArray = Array.isArray(value);
  return Object.keys(value).map((key) => [isArray ? Number(key) : key, (value as Record<string, unknown>)[key]]);
}

function mapChildren(map: ReadonlyMap<unknown, unknown>): [PathStep, unknown][] {
  const children: [PathStep, unknown][] = [];
  let index = 0;
  for (const [key, value] of map) {
    children.push([{ kind: 'map key', index }, key], [mapValue(key, index), value]);
    index++;
  }
  return children;
}

/** The place of a Map's value. */
export function mapValue(key: unknown, index: number): CollectionStep {
  return typeof key === 'string' || typeof key === 'number'
    ? { kind: 'map value', index, key }
    : { kind: 'map value', index };
}
