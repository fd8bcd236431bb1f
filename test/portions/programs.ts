import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { BUILT_IN_TYPES } from '../../ts/codec/built-in-types.ts';
import { Portions, type PortionLimits } from '../../ts/portions/portions.ts';
import { isTracked } from '../../ts/tracking/nodes.ts';
import { Tracker, plain } from '../../ts/tracking/tracker.ts';
import { MapSlots, type Loose } from '../tracking/fixture.ts';

/** As small as it gets, so that small states go every way. */
const LIMITS: PortionLimits = { wholeBytes: 0, bytesAMark: 0, keptBytes: 24 };

/** Slots whose portions live from one tracker to the next, as a kept session's do. */
class KeptSlots extends MapSlots {
  readonly portions = new Portions(BUILT_IN_TYPES, LIMITS);

  owner(): Portions {
    return this.portions;
  }
}

export interface Outcome {
  spliced: number;
  whole: number;
  /** Of all of them, saves of values with an object in several places. */
  shared: number;
}

/** Numbers below `n` from a seed: mulberry32 (T. Ettinger, public domain). */
export type Random = (n: number) => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
}

/** Runs one line of a program. `s`: the state; `o`: what the application keeps by itself. */
export function run(line: string, s: Loose, o: Loose): void {
  // oxlint-disable-next-line no-implied-eval, no-new-func -- a failing program is printed as it ran
  (new Function('s', 'o', 'plain', line) as (s: Loose, o: Loose, copy: typeof plain) => void)(s, o, plain);
}

function difference(spliced: Uint8Array, whole: Uint8Array): string {
  const at = spliced.findIndex((byte, i) => byte !== whole[i]);
  const show = (bytes: Uint8Array): string =>
    Buffer.from(bytes)
      .toString('latin1', Math.max(0, at - 40), at + 40)
      .replaceAll(/[^ -~]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `at byte ${at} of ${spliced.length}, whole ${whole.length}:\n${show(spliced)}\n${show(whole)}`;
}

/** One attribute `a` under a program of writes and saves: each save is compared with encoding the whole. */
export class World {
  readonly outcome: Outcome = { spliced: 0, whole: 0, shared: 0 };
  readonly lines: string[] = [];
  readonly held: Loose = {};
  readonly #slots: KeptSlots;
  #tracker: Tracker;
  #bytes: Uint8Array;

  constructor(first: string) {
    this.#slots = new KeptSlots({ a: undefined });
    this.#tracker = this.#open();
    this.line(`s.a = ${first}`);
    this.#bytes = new Uint8Array(0);
    this.save();
  }

  get state(): Loose {
    return this.#tracker.state;
  }

  /** The value itself, for who chooses what to write next. */
  get value(): Loose {
    return this.#slots.get('a');
  }

  #open(): Tracker {
    return new Tracker(this.#slots, { saveMode: 'write', classOf: () => 'mutable' });
  }

  line(code: string): void {
    this.lines.push(code);
    try {
      run(code, this.state, this.held);
    } catch (error) {
      if (error instanceof SyntaxError) throw error;
      // A line may meet a part that an earlier statement of its own has removed, or be refused; half of it has happened.
      const [, frame = ''] = (error as Error).stack!.split(/\n\s+at /);
      if (!(error instanceof HoldfastError) && frame.includes('/ts/')) throw error;
    }
  }

  /** False: the value cannot be encoded. `last`: the use ends with it. */
  save(last = false): boolean {
    this.lines.push('save()');
    const capture = this.#tracker.capture();
    const base = this.#bytes.length === 0 ? undefined : this.#bytes;
    if (capture.touched.length === 0) {
      // What the application does to an object of its own that could not be copied is its affair.
      this.#tracker.settle(capture);
      return true;
    }
    const { portions } = this.#slots;
    let whole: Uint8Array | undefined;
    let refused: unknown;
    try {
      // Before, because a value that was assigned is made from the one that was there.
      whole = msgpackCodec.encode(this.value, 'a');
    } catch (error) {
      refused = error;
    }
    const spliced = this.#tracker.splice('a', base, last);
    if (refused !== undefined && spliced !== undefined && spliced !== base) throw refused;
    if (whole === undefined) {
      this.#slots.portions.forget();
      return false;
    }
    const after = msgpackCodec.encode(this.value, 'a');
    if (Buffer.compare(after, whole) !== 0) throw new Error(`the save changed the value ${difference(after, whole)}`);
    whole = msgpackCodec.encode(this.value, 'a', portions);
    if (spliced !== undefined && Buffer.compare(spliced, whole) !== 0) throw new Error(difference(spliced, whole));
    if (portions.ids !== undefined) this.outcome.shared += 1;
    if (spliced !== undefined && spliced !== base) this.outcome.spliced += 1;
    else if (spliced === undefined) this.outcome.whole += 1;
    this.#bytes = spliced ?? whole;
    this.#slots.portions.settle(this.#bytes, this.value);
    this.#tracker.settle(capture);
    return true;
  }

  /** The save fails: nothing is forgotten. */
  fail(): void {
    this.lines.push('fail()');
    this.#tracker.capture();
    this.#tracker.splice('a', this.#bytes, false);
    this.#slots.portions.forget();
  }

  /** The use ends, saved or with an error; the next one begins. */
  reopen(): void {
    const saved = this.save(true);
    this.lines.push('reopen()');
    const aliased = this.#tracker.detach().length > 0;
    if ((aliased || !saved) && this.#bytes.length > 0) {
      this.#slots.set('a', msgpackCodec.decode(this.#bytes, 'a', this.#slots.portions));
      this.#slots.portions.settle(this.#bytes, this.value);
    }
    this.#tracker.close('s');
    this.#tracker = this.#open();
  }
}

const KEYS = [
  'a',
  'b',
  'constructor',
  'toString',
  'name',
  'länge',
  'items',
  '7',
  '12',
  '3',
  '100',
  'a long key of more than sixteen bytes',
];

/** Source text of a value. */
export function valueText(random: Random, depth = 0): string {
  const leaf = (): string =>
    [
      String(random(200) - 40),
      String(random(100_000)),
      '-0',
      '1.5',
      'true',
      'null',
      'undefined',
      JSON.stringify('text '.repeat(random(12))),
      '"ß"',
      '12345678901234567890n',
      `new Date(${random(5) * 1_000})`,
      random(8) === 0 ? `/x${random(9)}/g` : `Buffer.from([${random(9)}, 2])`,
    ][random(12)]!;
  if (depth > 3 || random(3) === 0) return leaf();
  const parts = Array.from({ length: random(random(4) === 0 ? 22 : 5) }, () => valueText(random, depth + 1));
  const keys = parts.map(
    (part, i) => `${JSON.stringify(random(2) === 0 ? `k${i}` : KEYS[random(KEYS.length)])}: ${part}`,
  );
  switch (random(5)) {
    case 0:
    case 1:
      return `{ ${keys.join(', ')} }`;
    case 2:
      return `[${parts.join(', ')}]`;
    case 3:
      return `new Map([${parts.map((part, i) => `[${random(2) === 0 ? i : `"m${i}"`}, ${part}]`).join(', ')}])`;
    default:
      return `new Set([${parts.map((part, i) => (random(10) === 0 ? part : random(2) === 0 ? i : `"e${i}"`)).join(', ')}])`;
  }
}

interface Spot {
  readonly text: string;
  readonly value: Loose;
}

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null;

/** Containers in the value, each with how the program reaches it. */
function spots(value: Loose, text: string, found: Spot[] = []): Spot[] {
  if (!isObject(value) || value instanceof Date || ArrayBuffer.isView(value) || found.length > 60) return found;
  if (isTracked(value)) return found; // put into an object of the application's own; its use may have ended
  if (found.some((spot) => spot.value === value)) return found;
  found.push({ text, value });
  if (value instanceof Map) {
    [...value].forEach(([key, member], i) =>
      spots(
        member,
        isObject(key) || typeof key === 'bigint' ? `[...${text}.values()][${i}]` : `${text}.get(${literal(key)})`,
        found,
      ),
    );
  } else if (value instanceof Set) {
    [...value].forEach((member, i) => isObject(member) && spots(member, `[...${text}][${i}]`, found));
  } else for (const key of Object.keys(value)) spots(value[key], `${text}[${JSON.stringify(key)}]`, found);
  return found;
}

const literal = (key: unknown): string =>
  typeof key === 'string' ? JSON.stringify(key) : Object.is(key, -0) ? '-0' : String(key);

/** What a line may be about: the value of `s.a`, and what the application keeps by itself. */
type Seen = Pick<World, 'value' | 'held'>;

/** The next line of a program over what the world holds now. */
export function nextLine(world: Seen, random: Random): string {
  if (random(5) > 0) return writeLine(world, random);
  const wholes = [
    's.a = plain(s.a)',
    's.a = s.a',
    's.a = { ...s.a }',
    `s.a = { ...s.a, list: s.a.list?.filter((one, i) => i !== ${random(4)}) }`,
    `s.a = { ...s.a, list: [...(s.a.list ?? [])].reverse() }`,
    `s.a = { ...s.a, more: ${valueText(random, 1)} }`,
    `s.a = { ...plain(s.a), kept: s.a.${['list', 'more', 'deep', 'kept'][random(4)]} }`,
    `s.a = { list: [${valueText(random, 2)}, ...plain(s.a.list ?? [])], kept: s.a.list?.[${random(3)}], more: s.a.more }`,
    `s.a = { list: [], n: ${random(9)}, kept: s.a }`,
  ];
  if (random(2) === 0) return wholes[random(wholes.length)]!;
  const more = random(2) === 0 ? `${writeLine(world, random)};` : '';
  return `{ let c = plain(s.a); ${`${writeLine(world, random)}; ${more}`.replaceAll('s.a', 'c')} s.a = c; }`;
}

function writeLine(world: Seen, random: Random): string {
  const all = spots(world.value, 's.a');
  const pick = (): Spot => all[random(all.length)]!;
  if (all.length === 0 || random(100) === 0) return `s.a = ${valueText(random)}`;
  const at = pick();
  const other = random(12) === 0 ? pick().text : random(12) === 0 ? heldText(world, random) : valueText(random, 2);
  if (Array.isArray(at.value)) return arrayLine(at, other, random);
  if (at.value instanceof Map) return mapLine(at, other, random);
  if (at.value instanceof Set) return setLine(at, other, random);
  return objectLine(at, other, pick(), random);
}

/** Something that the application goes on holding. */
function heldText(world: Seen, random: Random): string {
  const name = `o.h${random(3)}`;
  if (random(2) === 0 && world.held[name.slice(2)] !== undefined) return name;
  const seal = ['', '', 'Object.freeze', 'Object.seal', 'Object.preventExtensions'][random(5)]!;
  const kinds = [
    `{ held: ${random(9)} }`,
    `{ held: ${random(9)}, in: { n: ${random(9)} }, when: new Date(${random(9)}) }`,
    `[${random(9)}, { n: ${random(9)} }, ${seal}([{ n: 1 }])]`,
    `new Map([["k", { n: ${random(9)} }]])`,
  ];
  return `(${name} = ${seal}(${kinds[random(kinds.length)]}))`;
}

/** What the application does to what it holds by itself. */
export function heldLine(random: Random): string {
  const held = `o.h${random(3)}`;
  const n = random(300);
  const lines = [
    `${held}.held = ${n}`,
    `${held}.in.n = ${n}`,
    `${held}[1].n = ${n}`,
    `${held}[2][0].n = ${n}`,
    `${held}.get("k").n = ${n}`,
    `${held}.set("k", { n: ${n} })`,
    `${held}.when.setTime(${n})`,
    `${held}.in = { n: ${n} }`,
    `o.shown.setTime?.(${n}); o.shown[0] = ${n}`,
    `${held}.part = o.proxy`,
    `o.proxy.late = ${n}`,
    `o.proxy.push(${n})`,
    `o.proxy.set("late", ${n})`,
    `delete o.proxy[Object.keys(o.proxy)[0]]`,
  ];
  return `try { ${lines[random(lines.length)]!} } catch {}`;
}

function arrayLine({ text, value }: Spot, other: string, random: Random): string {
  const index = random(value.length + 1);
  const lines = [
    `${text}.push(${other})`,
    `${text}.push(${other}, ${random(300)})`,
    `${text}.pop()`,
    `${text}.shift()`,
    `${text}.unshift(${other})`,
    `${text}.splice(${index}, ${random(3)}, ${other})`,
    `${text}.splice(${index}, ${random(3)})`,
    `${text}.reverse()`,
    `${text}.sort((p, q) => String(JSON.stringify(p, (k, v) => typeof v === 'bigint' ? 0 : v)).length - String(JSON.stringify(q, (k, v) => typeof v === 'bigint' ? 0 : v)).length)`,
    `${text}[${index}] = ${other}`,
    `${text}[${index}] = ${other}`,
    `${text}.length = ${random(value.length + 1)}`,
    `${text}.fill(${random(2) === 0 ? random(9) : other}, ${index})`,
    `${text}.push(${text}.shift())`,
    `${text}.unshift(...${text}.splice(${index}, 2))`,
    `${random(4) === 0 ? `${text}.copyWithin(0, ${index})` : `${text}.push(${other})`}`,
    `${random(4) === 0 ? `delete ${text}[${index}]` : `${text}[${index}] = ${other}`}`,
    `for (const one of ${text}) if (one?.constructor === Object) one.hit = ${random(300)}`,
    `{ const a = ${text}; if (a.length > 1) [a[0], a[a.length - 1]] = [a[a.length - 1], a[0]]; }`,
    `Array.prototype.push.call(${text}, ${other})`,
    `Array.prototype.splice.call(${text}, ${index}, 1, ${other})`,
    `[].unshift.apply(${text}, [${other}])`,
    `Object.defineProperty(${text}, ${index}, { value: ${other}, enumerable: true, writable: true, configurable: true })`,
    `Object.defineProperty(${text}, 'length', { value: ${index} })`,
    `Reflect.set(${text}, ${index}, ${other})`,
    `{ const a = ${text}; let i = 0; for (const one of a) if (i++ < 3) a.push(one?.n ?? ${random(9)}); }`,
    `{ const a = ${text}; a.forEach((one, i) => i < 2 && a.shift()); }`,
    `{ const a = ${text}; a.sort((p, q) => { a[0] = ${random(9)}; return typeof p === 'object' ? -1 : 1; }); }`,
    `o.shown = ${text}.find((one) => one instanceof Date || Buffer.isBuffer(one)) ?? o.shown`,
    `o.proxy = ${text}`,
  ];
  return lines[random(lines.length)]!;
}

function mapLine({ text, value }: Spot, other: string, random: Random): string {
  const keys = [...value.keys()].filter((key) => !isObject(key) && typeof key !== 'bigint').map(literal);
  const key = keys.length > 0 && random(3) > 0 ? keys[random(keys.length)]! : `"m${random(9)}"`;
  const lines = [
    `${text}.set(${key}, ${other})`,
    `${text}.set(${key}, ${other})`,
    `${text}.delete(${key})`,
    `{ const m = ${text}, v = m.get(${key}); m.delete(${key}); m.set(${key}, v); }`,
    `for (const [k, v] of ${text}) if (Array.isArray(v)) v.push(${random(300)}); else if (typeof v === 'number') ${text}.set(k, v + 1)`,
    `${text}.set({ key: ${random(2)} }, ${other})`,
    `{ const m = ${text}; for (const k of m.keys()) if (m.size > 2) m.delete(k); else m.set('n' + m.size, ${random(9)}) }`,
    `{ const m = ${text}; m.forEach((v, k) => { if (typeof v === 'number') m.delete(k); else if (v?.constructor === Object) v.hit = ${random(9)}; }); }`,
    `o.proxy = ${text}`,
    `${random(3) === 0 ? `${text}.clear()` : `${text}.size`}`,
  ];
  return lines[random(lines.length)]!;
}

function setLine({ text, value }: Spot, other: string, random: Random): string {
  const members = [...value].filter((member) => !isObject(member) && typeof member !== 'bigint').map(literal);
  const member = members.length > 0 ? members[random(members.length)]! : '1';
  const lines = [
    `${text}.add(${other})`,
    `${text}.delete(${member})`,
    `{ const t = ${text}; t.delete(${member}); t.add(${member}); }`,
    `${text}.delete([...${text}][0])`,
    `for (const one of ${text}) if (Array.isArray(one)) one.push(${random(300)})`,
    `{ const t = ${text}; let i = 0; for (const one of t) { if (i++ > 4) break; t.delete(one); t.add(typeof one === 'number' ? one + 1 : ${random(9)}); } }`,
    `${random(3) === 0 ? `${text}.clear()` : `${text}.size`}`,
  ];
  return lines[random(lines.length)]!;
}

function objectLine({ text, value }: Spot, other: string, target: Spot, random: Random): string {
  const keys = Object.keys(value);
  const name = JSON.stringify(keys.length > 0 && random(3) > 0 ? keys[random(keys.length)] : KEYS[random(KEYS.length)]);
  const at = `${text}[${name}]`;
  const isPlain = !Array.isArray(target.value) && !(target.value instanceof Map) && !(target.value instanceof Set);
  const to = isPlain ? `${target.text}["moved"]` : `${text}["moved"]`;
  const lines = [
    `${at} = ${other}`,
    `${at} = ${random(70_000)}`,
    `delete ${at}`,
    `{ const v = ${at}; delete ${at}; ${at} = v; }`,
    `{ const t = ${text}, u = ${isPlain ? target.text : text}, v = t[${name}]; delete t[${name}]; u.moved = v; }`,
    `{ const v = ${at}; ${at} = 1; ${at} = v; }`,
    `if (Array.isArray(${at})) ${at} = ${at}.filter((one, i) => i !== ${random(4)})`,
    `if (Array.isArray(${at})) ${at} = [...${at}].reverse()`,
    `if (${at}?.constructor === Object) ${at} = { ...${at}, ${name}: ${other} }`,
    `${at} = plain(${at})`,
    `{ const c = plain(${at}); if (Array.isArray(c)) c.push(${other}); else if (c instanceof Map) c.set('late', ${other}); ${at} = c; }`,
    `${random(3) === 0 ? to : at} = ${at}`,
    `Object.assign(${text}, { q: ${other}, ${name}: ${random(300)} })`,
    `Object.defineProperty(${text}, ${name}, { value: ${other}, enumerable: true, writable: true, configurable: true })`,
    random(3) > 0
      ? `${at} = ${other}`
      : `if (${at} instanceof Date) ${at}.setTime(${random(9)}); else if (Buffer.isBuffer(${at})) ${at}[0] = ${random(9)}`,
    `${text}["__proto__x"] = ${random(9)}`,
    `Reflect.set(${text}, ${name}, ${other})`,
    `Reflect.defineProperty(${text}, ${name}, { value: ${other} })`,
    `Reflect.deleteProperty(${text}, ${name})`,
    `{ const t = ${text}; for (const k in t) if (typeof t[k] === 'number') t[k] += 1; else if (t[k] === null) delete t[k]; }`,
    `if (${at} instanceof Date || Buffer.isBuffer(${at})) o.shown = ${at}`,
    `{ const v = ${text}; o.proxy = v; }`,
  ];
  return lines[random(lines.length)]!;
}

/** A program of writes and saves. Throws with its text. */
export function runProgram(seed: number): Outcome {
  const random = seeded(seed);
  const world = new World(
    `{ list: [${valueText(random)}, ${valueText(random)}], more: ${valueText(random)}, deep: { er: { list: [${valueText(random)}] } } }`,
  );
  try {
    const length = 5 + random(30);
    for (let i = 0; i < length; i += 1) {
      const choice = random(12);
      if (choice < 2) world.reopen();
      else if (choice === 2 && random(2) === 0) {
        if (random(4) === 0) world.fail();
        else world.save();
      } else if (choice <= 4) world.line(heldLine(random));
      else world.line(nextLine(world, random));
    }
    world.save();
  } catch (error) {
    throw new Error(`seed ${seed}\n${world.lines.join(';\n')}\n${String(error)}`, { cause: error });
  }
  return world.outcome;
}
