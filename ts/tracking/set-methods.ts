import { membersOf, recorders, type Call, type Method } from './method.ts';
import { locate } from './nodes.ts';
import { adoptMember, thawMembers } from './thaw.ts';

type RawSet = Set<unknown>;
type SetCall = Call<RawSet>;
type Visit = (this: unknown, value: unknown, again: unknown, set: unknown) => void;

const memberIn = (raw: RawSet, member: unknown): unknown => locate(member, (value) => raw.has(value));

function* iterate<T>(call: SetCall, pick: (member: unknown) => T): Generator<T, undefined> {
  const { attribute } = call;
  thawMembers(attribute, call.raw);
  for (const member of membersOf(call)) {
    attribute.noteRead();
    yield pick(attribute.show(member));
  }
  return undefined;
}

/** The prototype of what `values` and `entries` return. */
export const SET_ITERATOR: unknown = iterate.prototype;

const members = (call: SetCall): Generator<unknown, undefined> => iterate(call, (member) => member);

/** ES2025: they look inside their `this`, so they run on a Set of what the application sees. */
const DERIVED = [
  'union',
  'intersection',
  'difference',
  'symmetricDifference',
  'isSubsetOf',
  'isSupersetOf',
  'isDisjointFrom',
];

function derived(name: string): readonly [string, (call: SetCall, args: unknown[]) => unknown] {
  const native = (Set.prototype as unknown as Record<string, Method>)[name]!;
  return [name, (call, args) => Reflect.apply(native, new Set(members(call)), args)];
}

/** Elements are taken, and found, as themselves or as their proxies. */
export const SET_RECORDERS: PropertyDescriptorMap = recorders<RawSet>(
  Set.prototype,
  ({ attribute, raw }) => (attribute.noteRead(), raw.size),
  [
    [
      'has',
      ({ attribute, raw }, [member]) => {
        attribute.noteRead();
        return raw.has(memberIn(raw, member));
      },
    ],
    [
      'add',
      ({ node, attribute, raw, proxy }, [member]) => {
        attribute.noteWrite(raw);
        if (raw.has(memberIn(raw, member))) return proxy;
        const taken = adoptMember(attribute, member);
        attribute.changes.sets(node, taken, false, undefined);
        raw.add(taken);
        return proxy;
      },
    ],
    [
      'delete',
      ({ node, attribute, raw }, [member]) => {
        attribute.noteRead();
        const known = memberIn(raw, member);
        if (!raw.has(known)) return false;
        attribute.noteWrite(raw);
        attribute.changes.removes(node, known, known);
        return raw.delete(known);
      },
    ],
    [
      'clear',
      ({ node, attribute, raw }) => {
        attribute.noteWrite(raw);
        for (const member of raw) attribute.changes.removes(node, member, member);
        raw.clear();
      },
    ],
    [
      'forEach',
      (call, [visit, self]) => {
        call.attribute.noteRead();
        thawMembers(call.attribute, call.raw);
        for (const member of membersOf(call)) {
          const shown = call.attribute.show(member);
          (visit as Visit).call(self, shown, shown, call.proxy);
        }
      },
    ],
    ['keys', members],
    ['values', members],
    ['entries', (call) => iterate(call, (member) => [member, member])],
    [Symbol.iterator, members],
    ...DERIVED.filter((name) => name in Set.prototype).map(derived),
  ],
);
