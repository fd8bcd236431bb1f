import { standIn, type Call, type Method } from './method.ts';
import { locate } from './nodes.ts';

type RawSet = Set<unknown>;
type SetCall = Call<RawSet>;
type Visit = (this: unknown, value: unknown, again: unknown, set: unknown) => void;

const memberIn = (raw: RawSet, member: unknown): unknown => locate(member, (value) => raw.has(value));

function* iterate<T>({ attribute, raw }: SetCall, pick: (member: unknown) => T): Generator<T, undefined> {
  attribute.thawMembers(raw);
  for (const member of raw) {
    attribute.noteRead();
    yield pick(attribute.show(member));
  }
  return undefined;
}

/** ES2025: they look inside their `this`, so they run on a Set of what the application sees. */
const DERIVED = ['union', 'intersection', 'difference', 'symmetricDifference', 'isSubsetOf', 'isSupersetOf', 'isDisjointFrom'];

function derived(name: string): [unknown, Method] {
  const native = (Set.prototype as unknown as Record<string, Method>)[name]!;
  return standIn<RawSet>(Set.prototype, name, (call, args) => Reflect.apply(native, new Set(iterate(call, (member) => member)), args));
}

/** Elements are taken, and found, as themselves or as their proxies. */
export const SET_METHODS: readonly [unknown, Method][] = [
  standIn<RawSet>(Set.prototype, 'has', ({ attribute, raw }, [member]) => {
    attribute.noteRead();
    return raw.has(memberIn(raw, member));
  }),
  standIn<RawSet>(Set.prototype, 'add', ({ attribute, raw, proxy }, [member]) => {
    attribute.noteWrite(raw);
    if (!raw.has(memberIn(raw, member))) raw.add(attribute.adoptMember(member));
    return proxy;
  }),
  standIn<RawSet>(Set.prototype, 'delete', ({ attribute, raw }, [member]) => {
    attribute.noteRead();
    const known = memberIn(raw, member);
    if (!raw.has(known)) return false;
    attribute.noteWrite(raw);
    return raw.delete(known);
  }),
  standIn<RawSet>(Set.prototype, 'clear', ({ attribute, raw }) => {
    attribute.noteWrite(raw);
    raw.clear();
  }),
  standIn<RawSet>(Set.prototype, 'forEach', (call, [visit, self]) => {
    call.attribute.noteRead();
    call.attribute.thawMembers(call.raw);
    call.raw.forEach((member) => {
      const shown = call.attribute.show(member);
      (visit as Visit).call(self, shown, shown, call.proxy);
    });
  }),
  // Also what keys and [Symbol.iterator] are.
  standIn<RawSet>(Set.prototype, 'values', (call) => iterate(call, (member) => member)),
  standIn<RawSet>(Set.prototype, 'entries', (call) => iterate(call, (member) => [member, member])),
  ...DERIVED.filter((name) => name in Set.prototype).map(derived),
];
