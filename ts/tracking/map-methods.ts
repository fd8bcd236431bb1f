import { isObject } from './kinds.ts';
import { membersOf, recorders, type Call } from './method.ts';
import { locate } from './nodes.ts';
import { adoptMember, thawMembers } from './thaw.ts';

type RawMap = Map<unknown, unknown>;
type MapCall = Call<RawMap>;
type Visit = (this: unknown, value: unknown, key: unknown, map: unknown) => void;

const keyIn = (raw: RawMap, key: unknown): unknown => locate(key, (member) => raw.has(member));

function valueAt({ attribute, node }: MapCall, key: unknown): unknown {
  const raw = node.raw as RawMap;
  const value = raw.get(key);
  return isObject(value) ? attribute.reach(value, raw, key) : value;
}

function* iterate<T>(call: MapCall, pick: (key: unknown) => T): Generator<T, undefined> {
  thawMembers(call.attribute, call.raw);
  for (const key of membersOf(call)) {
    call.attribute.noteRead();
    yield pick(key);
  }
  return undefined;
}

/** The prototype of what `keys`, `values` and `entries` return. */
export const MAP_ITERATOR: unknown = iterate.prototype;

const entries = (call: MapCall): Generator<unknown, undefined> =>
  iterate(call, (key) => [call.attribute.show(key), valueAt(call, key)]);

/** Keys are taken, and found, as themselves or as their proxies. */
export const MAP_RECORDERS: PropertyDescriptorMap = recorders<RawMap>(
  Map.prototype,
  ({ attribute, raw }) => (attribute.noteRead(), raw.size),
  [
    [
      'get',
      (call, [key]) => {
        call.attribute.noteRead();
        return valueAt(call, isObject(key) ? keyIn(call.raw, key) : key);
      },
    ],
    [
      'has',
      ({ attribute, raw }, [key]) => {
        attribute.noteRead();
        return raw.has(keyIn(raw, key));
      },
    ],
    [
      'set',
      ({ node, attribute, raw, proxy }, [key, value]) => {
        attribute.noteWrite(raw);
        const known = keyIn(raw, key);
        const had = raw.has(known);
        const member = had ? known : adoptMember(attribute, key);
        const taken = attribute.place(raw, member, value);
        attribute.changes.sets(node, member, had, raw.get(known));
        raw.set(member, taken);
        return proxy;
      },
    ],
    [
      'delete',
      ({ node, attribute, raw }, [key]) => {
        attribute.noteRead();
        const known = keyIn(raw, key);
        if (!raw.has(known)) return false;
        attribute.noteWrite(raw);
        attribute.changes.removes(node, known, raw.get(known));
        return raw.delete(known);
      },
    ],
    [
      'clear',
      ({ node, attribute, raw }) => {
        attribute.noteWrite(raw);
        for (const [key, value] of raw) attribute.changes.removes(node, key, value);
        raw.clear();
      },
    ],
    [
      'forEach',
      (call, [visit, self]) => {
        call.attribute.noteRead();
        thawMembers(call.attribute, call.raw);
        for (const key of membersOf(call))
          (visit as Visit).call(self, valueAt(call, key), call.attribute.show(key), call.proxy);
      },
    ],
    ['keys', (call) => iterate(call, (key) => call.attribute.show(key))],
    ['values', (call) => iterate(call, (key) => valueAt(call, key))],
    ['entries', entries],
    [Symbol.iterator, entries],
  ],
);
