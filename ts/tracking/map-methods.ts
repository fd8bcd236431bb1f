import { isObject } from './kinds.ts';
import { standIn, type Call, type Method } from './method.ts';
import { locate } from './nodes.ts';

type RawMap = Map<unknown, unknown>;
type MapCall = Call<RawMap>;
type Visit = (this: unknown, value: unknown, key: unknown, map: unknown) => void;

const keyIn = (raw: RawMap, key: unknown): unknown => locate(key, (member) => raw.has(member));

function valueAt({ attribute, raw }: MapCall, key: unknown): unknown {
  const value = raw.get(key);
  return isObject(value) ? attribute.reach(value, raw, key) : value;
}

function* iterate<T>(call: MapCall, pick: (key: unknown) => T): Generator<T, undefined> {
  call.attribute.thawMembers(call.raw);
  for (const key of call.raw.keys()) {
    call.attribute.noteRead();
    yield pick(key);
  }
  return undefined;
}

const entries = (call: MapCall): Generator<unknown, undefined> => iterate(call, (key) => [call.attribute.show(key), valueAt(call, key)]);

/** Keys are taken, and found, as themselves or as their proxies. */
export const MAP_METHODS: readonly [unknown, Method][] = [
  standIn<RawMap>(Map.prototype, 'get', (call, [key]) => {
    call.attribute.noteRead();
    return valueAt(call, keyIn(call.raw, key));
  }),
  standIn<RawMap>(Map.prototype, 'has', ({ attribute, raw }, [key]) => {
    attribute.noteRead();
    return raw.has(keyIn(raw, key));
  }),
  standIn<RawMap>(Map.prototype, 'set', ({ attribute, raw, proxy }, [key, value]) => {
    attribute.noteWrite(raw);
    const known = keyIn(raw, key);
    const member = raw.has(known) ? known : attribute.adoptMember(key);
    raw.set(member, attribute.place(raw, member, value));
    return proxy;
  }),
  standIn<RawMap>(Map.prototype, 'delete', ({ attribute, raw }, [key]) => {
    attribute.noteRead();
    const known = keyIn(raw, key);
    if (!raw.has(known)) return false;
    attribute.noteWrite(raw);
    return raw.delete(known);
  }),
  standIn<RawMap>(Map.prototype, 'clear', ({ attribute, raw }) => {
    attribute.noteWrite(raw);
    raw.clear();
  }),
  standIn<RawMap>(Map.prototype, 'forEach', (call, [visit, self]) => {
    call.attribute.noteRead();
    call.attribute.thawMembers(call.raw);
    call.raw.forEach((_value, key) => (visit as Visit).call(self, valueAt(call, key), call.attribute.show(key), call.proxy));
  }),
  standIn<RawMap>(Map.prototype, 'keys', (call) => iterate(call, (key) => call.attribute.show(key))),
  standIn<RawMap>(Map.prototype, 'values', (call) => iterate(call, (key) => valueAt(call, key))),
  // Also what [Symbol.iterator] is.
  standIn<RawMap>(Map.prototype, 'entries', entries),
];
