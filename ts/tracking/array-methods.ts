import { isObject, type Tree } from './kinds.ts';
import { nowOf, standIn, type Call, type Method } from './method.ts';
import { locate } from './nodes.ts';

type Run = (call: Call<unknown[]>, args: unknown[]) => unknown;
type Compare = (a: unknown, b: unknown) => number;

const apply = (raw: unknown[], name: keyof unknown[], args: unknown[]): unknown =>
  Reflect.apply(raw[name] as Method, raw, args);

/** On the array itself: one mark instead of one per element moved. */
function changing(
  name: keyof unknown[],
  adopted: (call: Call<unknown[]>, args: unknown[]) => unknown[],
  shown: (call: Call<unknown[]>, result: unknown) => unknown,
): [unknown, Method] {
  return standIn<unknown[]>(Array.prototype, name as string, (call, args) => {
    call.attribute.noteWrite(call.raw);
    const taken = adopted(call, args);
    call.attribute.changes.rearranges(call.node, call.raw);
    return shown(call, apply(call.raw, name, taken));
  });
}

/** Where they will be: it is looked for there first. */
const all = ({ attribute, raw }: Call<unknown[]>, args: unknown[]): unknown[] =>
  args.map((arg, i) => attribute.place(raw, String(i), arg));
const first = ({ attribute }: Call<unknown[]>, args: unknown[]): unknown[] =>
  args.map((arg, i) => (i === 0 ? attribute.adopt(arg) : arg));
const afterTwo = ({ attribute, raw }: Call<unknown[]>, args: unknown[]): unknown[] =>
  args.map((arg, i) => (i < 2 ? arg : attribute.place(raw, undefined, arg)));
const none = (_call: Call<unknown[]>, args: unknown[]): unknown[] => args;
/** Then one object may stand in two places. */
const doubled = ({ attribute }: Call<unknown[]>, args: unknown[]): unknown[] => {
  attribute.changes.incomplete ??= 'copyWithin was used';
  return args;
};

const itself = ({ proxy }: Call<unknown[]>): unknown => proxy;
const number = (_call: Call<unknown[]>, result: unknown): unknown => result;
const element = ({ attribute }: Call<unknown[]>, result: unknown): unknown => attribute.show(result);
const elements = ({ attribute }: Call<unknown[]>, result: unknown): unknown =>
  (result as unknown[]).map((item) => attribute.show(item));

/** One by one: a long list of arguments would take the stack a second time. */
const push: Run = ({ node, attribute, raw }, args) => {
  attribute.noteWrite(raw);
  const adopted = args.map((arg, i) => attribute.place(raw as unknown as Tree, String(raw.length + i), arg));
  attribute.changes.appends(node, raw);
  for (const arg of adopted) raw.push(arg);
  return raw.length;
};

/** Of what is there, holes left out: whatever `compare` does meanwhile, be it a save, the array is in one order or the other. */
const sort: Run = (call, [compare]) => {
  const { node, attribute, raw, proxy } = call;
  attribute.noteWrite(raw);
  const { length } = raw;
  let order = compare as Compare | undefined;
  if (typeof compare === 'function') {
    raw.forEach((value, i) => {
      // Through its place, where a frozen element is exchanged.
      if (isObject(value)) attribute.reach(value, raw, String(i));
    });
    const show = (value: unknown): unknown => attribute.show(nowOf(call, value));
    order = (a, b) => (compare as Compare)(show(a), show(b));
  }
  const values = Object.values(raw).sort(order);
  attribute.noteWrite(node.raw);
  const now = node.raw as unknown[];
  attribute.changes.rearranges(node, now);
  values.forEach((value, i) => void (now[i] = nowOf(call, value)));
  if (values.length < length) removeFrom(now, values.length, length);
  return proxy;
};

/** Those that are there: a gap may be long. */
function removeFrom(array: unknown[], from: number, to: number): void {
  for (const key of Object.keys(array)) if (Number(key) >= from && Number(key) < to) delete array[Number(key)];
}

/** Finds an element by itself or by its proxy. */
function searching(name: 'indexOf' | 'lastIndexOf' | 'includes'): [unknown, Method] {
  return standIn<unknown[]>(Array.prototype, name, ({ attribute, raw }, [sought, ...from]) => {
    attribute.noteRead();
    const found = locate(sought, (value) => raw.includes(value));
    return apply(raw, name, [found, ...from]);
  });
}

function elementAt(call: Call<unknown[]>, value: unknown, index: number): unknown {
  const { attribute, node } = call;
  if (!attribute.reading) attribute.noteRead(); // throws once the session has ended
  return isObject(value) ? attribute.reach(nowOf(call, value) as object, node.raw, index) : value;
}

/** What `values` and `for…of` give: one call an element, where a Proxy answers two. */
class Elements implements Iterator<unknown, undefined> {
  readonly #call: Call<unknown[]>;
  #next = 0;

  constructor(call: Call<unknown[]>) {
    this.#call = call;
  }

  next(): IteratorResult<unknown, undefined> {
    const raw = this.#call.node.raw as unknown[];
    const index = this.#next;
    if (index >= raw.length) {
      this.#next = Infinity; // also if it grows again
      return { value: undefined, done: true };
    }
    this.#next = index + 1;
    return { value: elementAt(this.#call, raw[index], index), done: false };
  }
}

/** The prototype of what `values` returns: an iterator like any other. */
export const ARRAY_ITERATOR: object = Object.setPrototypeOf(
  Object.defineProperty(Elements.prototype, Symbol.toStringTag, { value: 'Array Iterator', configurable: true }),
  Object.getPrototypeOf(Object.getPrototypeOf([].values()) as object) as object,
) as object;

type Visit = (this: unknown, value: unknown, index: number, array: unknown) => unknown;
/** As the application sees the element, and what it makes of that. */
type Visited = (shown: unknown, index: number) => unknown;

/** On the array itself, with each element as the application sees it. */
function visiting(
  name: keyof unknown[],
  run: (raw: unknown[], show: (value: unknown, index: number) => unknown, visit: Visited) => unknown,
): [unknown, Method] {
  return standIn<unknown[]>(Array.prototype, name as string, (call, args) => {
    const [visit, self] = args as [Visit, unknown];
    call.attribute.noteRead();
    if (typeof visit !== 'function') return apply(call.raw, name, args); // it says what is wrong
    return run(
      call.raw,
      (value, index) => elementAt(call, value, index),
      (shown, index) => visit.call(self, shown, index, call.proxy),
    );
  });
}

type Search = 'findIndex' | 'findLastIndex';
type Searchable = { readonly [name in Search]: (test: (value: unknown, index: number) => boolean) => number };

const place = (search: Search) =>
  visiting(search as keyof unknown[], (raw, show, visit) =>
    (raw as unknown as Searchable)[search]((value, index) => Boolean(visit(show(value, index), index))),
  );

const taken = (name: string, search: Search) =>
  visiting(name as keyof unknown[], (raw, show, visit) => {
    let shown: unknown;
    const index = (raw as unknown as Searchable)[search]((value, at) => Boolean(visit((shown = show(value, at)), at)));
    return index < 0 ? undefined : shown;
  });

/** Every other method runs through the proxy, so that the elements that it hands to callbacks are tracked. */
export const ARRAY_METHODS: readonly [unknown, Method][] = [
  standIn(Array.prototype, 'push', push),
  changing('unshift', all, number),
  changing('pop', none, element),
  changing('shift', none, element),
  changing('splice', afterTwo, elements),
  changing('fill', first, itself),
  changing('reverse', none, itself),
  changing('copyWithin', doubled, itself),
  standIn(Array.prototype, 'sort', sort),
  searching('indexOf'),
  searching('lastIndexOf'),
  searching('includes'),
  standIn<unknown[]>(Array.prototype, 'values', (call) => {
    call.attribute.noteRead();
    return new Elements(call);
  }),
  visiting('forEach', (raw, show, visit) => raw.forEach((value, index) => visit(show(value, index), index))),
  visiting('map', (raw, show, visit) => raw.map((value, index) => visit(show(value, index), index))),
  visiting('some', (raw, show, visit) => raw.some((value, index) => visit(show(value, index), index))),
  visiting('every', (raw, show, visit) => raw.every((value, index) => visit(show(value, index), index))),
  visiting('filter', (raw, show, visit) => {
    const kept: unknown[] = [];
    raw.forEach((value, index) => {
      const shown = show(value, index);
      if (visit(shown, index)) kept.push(shown);
    });
    return kept;
  }),
  place('findIndex'),
  place('findLastIndex'),
  taken('find', 'findIndex'),
  taken('findLast', 'findLastIndex'),
];
