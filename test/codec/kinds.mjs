// The kinds of value that the web platform's structured clone keeps, each made anew by a function: what comes back from
// another process is compared with another one that is made there.
import { types } from 'node:util';

const array = (...elements) => elements;
const holes = () => {
  const list = array(1, undefined, 3);
  delete list[1];
  return list;
};
const withCause = (cause) => new Error('outer', { cause });
const named = (error, name) => Object.assign(error, { name });
const hidden = (key, value, flags) => Object.defineProperty({ a: 1 }, key, { value, ...flags });
const resizable = () => new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 })).fill(3).buffer;
const cycle = (container, put) => {
  put(container, container);
  return container;
};
const twice = (value) => ({ x: value, y: value });
const ABOVE = { above: 1 };
const inherited = () => Object.assign(Object.create(ABOVE), { own: 2 });
class Point {
  x = 1;
}

const TEXTS = [
  ['empty', ''],
  ['of ASCII', 'tea'],
  ['with a lone high surrogate', 'a\ud800b'],
  ['with a lone low surrogate', 'a\udc00b'],
  ['with NUL', 'a\0b'],
  ['past the basic plane', '\u{1f375}'],
  ['with a byte order mark', '\ufefftea'],
  ['long', 'Tee für Übermorgen '.repeat(50)],
];
const NUMBERS = [0, -0, 0.2, -1, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, 5e-324, NaN, Infinity, -Infinity];
const INTEGERS = [0n, -1n, 2n ** 63n, -(2n ** 64n), 12_345_678_901_234_567_890_123n];
const TIMES = [0, -1, 1_234, 8.64e15, -8.64e15, NaN];
const VIEWS = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
];
const ERRORS = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];

/** Name, and what makes the value; `clone`: what structured clone makes of it, where that is another. */
export const KINDS = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['true', () => true],
  ['false', () => false],
  ...TEXTS.map(([name, text]) => [`text ${name}`, () => text]),
  ...NUMBERS.map((number) => [`number ${Object.is(number, -0) ? '-0' : number}`, () => number]),
  ...INTEGERS.map((integer) => [`bigint ${integer}`, () => integer]),
  ['array of primitives', () => [undefined, null, true, '', 0.2, -0, 1n]],
  ['object of primitives', () => ({ a: undefined, b: null, c: false, d: 'x', e: -0, f: NaN, g: 2n })],
  ['boxed true', () => Object(true)],
  ['boxed false', () => Object(false)],
  ['array of boxed booleans', () => [Object(true), Object(false)]],
  ...TEXTS.slice(0, 6).map(([name, text]) => [`boxed text ${name}`, () => Object(text)]),
  ['object of boxed texts', () => ({ a: Object(''), b: Object('b') })],
  ...[0.2, 0, -0, NaN, -Infinity].map((n) => [`boxed number ${Object.is(n, -0) ? '-0' : n}`, () => Object(n)]),
  ['array of boxed numbers', () => [Object(1), Object(-0)]],
  ['boxed bigint', () => Object(-9_007_199_254_740_994n)],
  ...TIMES.map((time) => [`Date ${time}`, () => new Date(time)]),
  ['array of Dates', () => [new Date(1), new Date(2)]],
  ['object of Dates', () => ({ a: new Date(1), b: new Date(NaN) })],
  ['RegExp', () => /tea|jam/gimsuy],
  ['RegExp without a pattern', () => new RegExp('')],
  ['RegExp with a slash', () => /\//],
  ['RegExp with a line end', () => new RegExp('\n')],
  ['array of RegExps', () => [/a/g, /b/y]],
  ['object of RegExps', () => ({ a: /a/, b: /\u{1f375}/u })],
  ['Error without a message', () => new Error()],
  ['Error without a stack', () => cycle(new Error('boom'), (error) => delete error.stack)],
  ['Error with an own name', () => named(new Error('boom'), 'Custom')],
  ['Error with properties', () => Object.assign(new Error('boom'), { code: 'E_TEA', path: ['a'] })],
  ['Error with a cause', () => withCause(new TypeError('inner'))],
  ['Error with causes in a row', () => withCause(withCause({ reason: new Date(5) }))],
  ...ERRORS.map((Class) => [Class.name, () => new Class('boom')]),
  ['AggregateError', () => new AggregateError([new Error('a'), 5], 'many')],
  ['DOMException', () => new DOMException('no', 'DataCloneError')],
  ['array', () => [1, [2, [3]]]],
  ['array with holes', holes],
  ['array of a length alone', () => Array(1_000)],
  ['array in itself', () => cycle([1], (list) => list.push(list))],
  ['array with one object twice', () => array(...Object.values(twice({ a: 1 })))],
  ['array with one array twice', () => Object.values(twice([]))],
  ['object', () => ({ a: { b: { c: 1 } } })],
  ['object without properties', () => ({})],
  ['object with a key __proto__', () => JSON.parse('{"__proto__":{"a":1}}')],
  ['object with indices and a length', () => ({ 1: 'b', 0: 'a', length: 2 })],
  ['object in itself', () => cycle({ a: 1 }, (object) => (object.self = object))],
  ['object with one object twice', () => twice({ b: [1] })],
  ['object with one Error twice', () => twice(new Error('boom'))],
  ['object with one RegExp twice', () => twice(/x/g)],
  [
    'object with a getter',
    () => ({
      get a() {
        return [1];
      },
    }),
    { clone: () => ({ a: [1] }) },
  ],
  ['object with a hidden property', () => hidden('b', 2, { enumerable: false }), { clone: () => ({ a: 1 }) }],
  ['object with a read-only property', () => hidden('b', 2, { enumerable: true }), { clone: () => ({ a: 1, b: 2 }) }],
  ['frozen object', () => Object.freeze({ a: 1 }), { clone: () => ({ a: 1 }) }],
  [
    'Map',
    () =>
      new Map([
        [1, 'a'],
        ['b', { c: 1 }],
        [null, undefined],
      ]),
  ],
  ['Map without entries', () => new Map()],
  [
    'Map with objects as keys',
    () =>
      new Map([
        [{ a: 1 }, 1],
        [[2], 2],
      ]),
  ],
  ['Map in itself', () => cycle(new Map(), (map) => map.set('self', map))],
  ['Map that is its own key', () => cycle(new Map(), (map) => map.set(map, 1))],
  ['Set', () => new Set([1, 'a', { b: 1 }, NaN])],
  ['Set without elements', () => new Set()],
  ['Set in itself', () => cycle(new Set([1]), (set) => set.add(set))],
  [
    'Map and Set of one object',
    () => cycle({ a: 1 }, (o) => Object.assign(o, { m: new Map([[o, 1]]), s: new Set([o]) })),
  ],
  ['ArrayBuffer', () => new Uint8Array([1, 2, 3]).buffer],
  ['DataView', () => new DataView(new Uint8Array([1, 2, 3]).buffer)],
  ...VIEWS.map((View) => [View.name, () => new View(3).fill(View.name.startsWith('Big') ? 7n : 7)]),
  ['Buffer', () => Buffer.from('tea')],
  ['instance of a plain class', () => new Point(), { clone: () => ({ x: 1 }) }],
  ['object with an inherited property', inherited, { clone: () => ({ own: 2 }) }],
  ['array with a named property', () => Object.assign([1], { total: 1 })],
  ['resizable ArrayBuffer', resizable],
  [
    'two views of one ArrayBuffer',
    () => {
      const { buffer } = new Uint8Array(4);
      return [new Uint8Array(buffer), new Int8Array(buffer)];
    },
  ],
  ['one Date twice', () => twice(new Date(5))],
  ['one ArrayBuffer twice', () => twice(new ArrayBuffer(2))],
  ['Error as its own cause', () => cycle(new Error('boom'), (error) => (error.cause = error))],
  ['Blob', () => new Blob(['tea'], { type: 'text/plain' })],
  ['URL', () => new URL('https://a.example/b?c=d#e')],
  ['URLSearchParams', () => new URLSearchParams('a=1&a=2&b=%20')],
  ...(globalThis.Temporal === undefined
    ? []
    : [
        ['Temporal.Instant', () => Temporal.Instant.from('2020-01-02T03:04:05.678901234Z')],
        ['Temporal.ZonedDateTime', () => Temporal.ZonedDateTime.from('2020-01-02T03:04:05+01:00[Europe/Berlin]')],
        ['Temporal.Duration', () => Temporal.Duration.from('P1Y2M3DT4H')],
      ]),
];

const isObject = (value) => typeof value === 'object' && value !== null;

/** What there is to a value beside its own properties. */
function insideOf(value) {
  if (types.isDate(value)) return [value.getTime()];
  if (types.isRegExp(value)) return [value.source, value.flags, value.lastIndex];
  if (types.isBoxedPrimitive(value)) return [value.valueOf()];
  if (types.isAnyArrayBuffer(value)) return [value.byteLength, value.maxByteLength, ...new Uint8Array(value)];
  if (ArrayBuffer.isView(value) && !Buffer.isBuffer(value)) return [value.byteOffset, value.length, value.buffer];
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return [...value];
  if (value instanceof URL || value instanceof URLSearchParams) return [String(value)];
  if (value instanceof DOMException) return [value.name, value.message];
  return String(value.constructor?.name).startsWith('Plain') || value instanceof Blob ? [String(value)] : [];
}

const isShownAlike = (a, b, key) =>
  Object.hasOwn(b, key) &&
  Object.prototype.propertyIsEnumerable.call(a, key) === Object.prototype.propertyIsEnumerable.call(b, key);

/** Whether `b` is what structured clone is to make of `a`: types, properties in their order, and which objects are one. */
export function isSame(a, b, pairs = new Map(), met = new Set()) {
  if (!isObject(a) || !isObject(b)) return Object.is(a, b);
  if (pairs.has(a) || met.has(b)) return pairs.get(a) === b;
  pairs.set(a, b);
  met.add(b);
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const keys = Reflect.ownKeys(a).filter((key) => key !== 'stack');
  const others = Reflect.ownKeys(b).filter((key) => key !== 'stack');
  const same = (x, y) => isSame(x, y, pairs, met);
  if (keys.length !== others.length || !keys.every((key) => isShownAlike(a, b, key) && same(a[key], b[key])))
    return false;
  if (typeof a.stack !== typeof b.stack) return false;
  const inside = insideOf(a);
  const other = insideOf(b);
  return inside.length === other.length && inside.every((part, i) => same(part, other[i]));
}
