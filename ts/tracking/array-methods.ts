import { isObject, type Tree } from './kinds.ts';
import { standIn, type Call, type Method } from './method.ts';
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
    return shown(call, apply(call.raw, name, adopted(call, args)));
  });
}

const all = ({ attribute }: Call<unknown[]>, args: unknown[]): unknown[] => args.map((arg) => attribute.adopt(arg));
const first = ({ attribute }: Call<unknown[]>, args: unknown[]): unknown[] =>
  args.map((arg, i) => (i === 0 ? attribute.adopt(arg) : arg));
const afterTwo = ({ attribute }: Call<unknown[]>, args: unknown[]): unknown[] =>
  args.map((arg, i) => (i < 2 ? arg : attribute.adopt(arg)));
const none = (_call: Call<unknown[]>, args: unknown[]): unknown[] => args;

const itself = ({ proxy }: Call<unknown[]>): unknown => proxy;
const number = (_call: Call<unknown[]>, result: unknown): unknown => result;
const element = ({ attribute }: Call<unknown[]>, result: unknown): unknown => attribute.show(result);
const elements = ({ attribute }: Call<unknown[]>, result: unknown): unknown =>
  (result as unknown[]).map((item) => attribute.show(item));

/** One by one: a long list of arguments would take the stack a second time. */
const push: Run = ({ attribute, raw }, args) => {
  attribute.noteWrite(raw);
  const adopted = args.map((arg, i) => attribute.place(raw as unknown as Tree, String(raw.length + i), arg));
  for (const arg of adopted) raw.push(arg);
  return raw.length;
};

const sort: Run = ({ attribute, raw, proxy }, [compare]) => {
  attribute.noteWrite(raw);
  if (typeof compare !== 'function') {
    raw.sort(compare as undefined);
    return proxy;
  }
  raw.forEach((value, i) => {
    // Through its place, where a frozen element is exchanged.
    if (isObject(value)) attribute.reach(value, raw, String(i));
  });
  raw.sort((a, b) => (compare as Compare)(attribute.show(a), attribute.show(b)));
  return proxy;
};

/** Finds an element by itself or by its proxy. */
function searching(name: 'indexOf' | 'lastIndexOf' | 'includes'): [unknown, Method] {
  return standIn<unknown[]>(Array.prototype, name, ({ attribute, raw }, [sought, ...from]) => {
    attribute.noteRead();
    const found = locate(sought, (value) => raw.includes(value));
    return apply(raw, name, [found, ...from]);
  });
}

/** Every other method runs through the proxy, so that the elements that it hands to callbacks are tracked. */
export const ARRAY_METHODS: readonly [unknown, Method][] = [
  standIn(Array.prototype, 'push', push),
  changing('unshift', all, number),
  changing('pop', none, element),
  changing('shift', none, element),
  changing('splice', afterTwo, elements),
  changing('fill', first, itself),
  changing('reverse', none, itself),
  changing('copyWithin', none, itself),
  standIn(Array.prototype, 'sort', sort),
  searching('indexOf'),
  searching('lastIndexOf'),
  searching('includes'),
];
