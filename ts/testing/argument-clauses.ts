import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { ORIGIN } from '../position.ts';
import type { Store } from '../store/store.ts';
import { asks, at, begin, bytesOf, everyCall, granted, member, record, rejects, wants } from './place.ts';
import type { Clauses } from './place.ts';

/** What a caller without types may pass. */
const WRONG: readonly unknown[] = ['no', '', Number.NaN, null, -1, 0.5, true, {}, [], () => undefined, 1n];
const but = (isRight: (value: unknown) => boolean): readonly unknown[] => WRONG.filter((value) => !isRight(value));

const FLAG = but((value) => typeof value === 'boolean');
const TEXT = but((value) => typeof value === 'string');
const TIME = but((value) => typeof value === 'number' && !Number.isNaN(value));
const AMOUNT = but((value) => value === 0.5);
/** `{}` is a rule that expires nothing. */
const RULE: readonly unknown[] = [
  ...but((value) => inspect(value) === '{}'),
  ...WRONG.map((idleMs) => ({ idleMs, ageMs: 5 })).filter(({ idleMs }) => idleMs !== 0.5),
  { ageMs: null },
];
const TERMS: readonly unknown[] = [...but(Array.isArray), [5], [null], ['']];
const POSITION: readonly unknown[] = [
  ...WRONG,
  { revision: 1 },
  { revision: '1', nonce: 7 },
  { revision: 1, nonce: -1 },
  { revision: 1, nonce: 2 ** 48 },
  { revision: 1, nonce: 7n },
];
const ACQUIRE = { member: but((value) => value === 'no'), ticket: WRONG, leaseMs: AMOUNT, wait: [undefined, ...FLAG] };
const READ = { since: [undefined, ...POSITION], kept: FLAG, limitBytes: AMOUNT };

/** Each wrong value of each field. */
const faultsOf = (right: object, wrong: Readonly<Record<string, readonly unknown[]>>): object[] =>
  Object.entries(wrong).flatMap(([field, values]) => values.map((value) => ({ ...right, [field]: value })));

/** Not even objects. */
const NOTHINGS: readonly unknown[] = [undefined, null, 'no', 5, true];
const NO_IDS: readonly unknown[] = [undefined, null, 5, Number.NaN, true, {}, ['s']];

async function named(call: Promise<unknown>, what: unknown): Promise<void> {
  const code = await call.then(
    () => 'no error',
    (error: { code?: string }) => error.code ?? error,
  );
  assert.equal(code, 'ERR_INVALID', inspect(what));
}

async function stateOf(store: Store): Promise<unknown> {
  const { head, lock } = await store.inspect('s');
  return [
    head?.position,
    head?.token,
    head?.expiry,
    lock.holder?.member,
    lock.queue.length,
    (await store.ping()).epoch,
  ];
}

/** Each fault is named and changes nothing; what is right is none. */
async function nameFaults(
  store: Store,
  right: object,
  wrong: Readonly<Record<string, readonly unknown[]>>,
  ask: (request: never, id: string) => Promise<unknown>,
): Promise<void> {
  const before = await stateOf(store);
  for (const fault of [...NOTHINGS, ...faultsOf(right, wrong)]) await named(ask(fault as never, 's'), fault);
  // A call without an id does not look at it.
  if (ask.length > 1) for (const id of NO_IDS) await named(ask(right as never, id as string), { id });
  assert.deepEqual(await stateOf(store), before);
  await ask(right as never, 's');
}

export const argumentClauses: Clauses = {
  'what is no read is named as a fault': async ({ one }) => {
    await begin(one, 's', 1);
    await nameFaults(one, { since: ORIGIN }, READ, (request, id) => one.read(id, request));
    for (const id of NO_IDS) await named(one.inspect(id as string), { id });
  },
  'what is no append is named as a fault': async ({ one }) => {
    const token = await begin(one, 's', 1);
    const { member: a } = await member(one);
    const under = [undefined, ...WRONG, ...faultsOf(wants(a, 1), ACQUIRE)];
    const wrong = {
      parent: [undefined, ...POSITION],
      position: [undefined, ...POSITION],
      kind: [undefined, ...WRONG],
      bytes: [undefined, ...WRONG],
      under,
      expiry: RULE,
      begins: FLAG,
      createdAt: TIME,
      first: WRONG,
      terms: TERMS,
      lock: [...WRONG, 'realease'],
      durability: [...WRONG, { replicas: 0 }, { replicas: 'x' }],
      version: TEXT,
    };
    await nameFaults(one, record(2, token), wrong, (request, id) => one.append(id, request));
  },
  'what is no replacement is named as a fault': async ({ one }) => {
    const token = await begin(one, 's', 1);
    const entry = { position: at(5), kind: 'snapshot', bytes: bytesOf('five') };
    const entries = [
      ...WRONG,
      ...faultsOf(entry, {
        position: [undefined, ...POSITION],
        kind: [undefined, 'delta', ...WRONG],
        bytes: [undefined, ...WRONG],
      }),
    ];
    const later = faultsOf({ ...entry, position: at(6) }, { kind: [undefined, ...WRONG] });
    const records = [undefined, ...WRONG, ...entries.map((wrong) => [wrong]), ...later.map((wrong) => [entry, wrong])];
    const right = { records: [entry], createdAt: 1, expiry: {}, token };
    const wrong = {
      records,
      createdAt: [undefined, ...TIME],
      expiry: [undefined, ...RULE],
      terms: TERMS,
      token: [undefined, ...WRONG],
    };
    await nameFaults(one, right, wrong, (request, id) => one.replace(id, request, undefined));
    for (const expected of POSITION) await named(one.replace('s', right as never, expected as never), { expected });
  },
  'what is no request of a lock is named as a fault': async ({ one }) => {
    await begin(one, 's', 1);
    const { member: a } = await member(one);
    await nameFaults(one, asks(a, 1), { ...ACQUIRE, ...READ, existing: FLAG }, (request, id) => one.lock(id, request));
  },
  'what unlocks nothing is named as a fault': async ({ one }) => {
    await begin(one, 's', 1);
    const { member: a } = await member(one);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    await nameFaults(
      one,
      { member: a, ticket: 0 },
      { member: ACQUIRE.member, ticket: [undefined, ...WRONG] },
      (who, id) => one.unlock(id, who),
    );
    await nameFaults(one, { token }, { token: [undefined, ...WRONG] }, (who, id) => one.unlock(id, who));
  },
  'what is no touch is named as a fault': async ({ one }) => {
    const token = await begin(one, 's', 1);
    await nameFaults(one, { token }, { token: [undefined, ...WRONG], renew: FLAG, expiry: RULE }, (touch, id) =>
      one.touch(id, touch),
    );
  },
  'what is no listing and no sweep is named as a fault': async ({ one }) => {
    await begin(one, 's', 1);
    const page = { limit: [undefined, ...WRONG], cursor: TEXT };
    const term = [...but((value) => value === 'no'), 'x'.repeat(65)];
    await nameFaults(one, { limit: 1 }, { ...page, term }, (query) => one.list(query));
    await nameFaults(one, { limit: 1, graceMs: 0 }, { ...page, graceMs: [undefined, ...AMOUNT] }, (request) =>
      one.sweep(request),
    );
    for (const above of [undefined, ...WRONG]) await named(one.promote(above as number), { above });
    assert.deepEqual(await one.ping(), { epoch: 0 });
  },
  'what is no listener, and nothing to watch, is named as a fault': async ({ one }) => {
    for (const listener of [undefined, ...but((value) => typeof value === 'function')])
      await named(one.join(listener as () => void), { listener });
    const joined = await member(one);
    for (const ids of [undefined, ...but(Array.isArray), [5], [null], ['']])
      await named(joined.watch(ids as string[]), { ids });
  },
  'what is no option of a call is named as a fault': async ({ one }) => {
    const { member: a } = await member(one);
    const token = await begin(one, 's', 1);
    const before = await stateOf(one);
    const signal = [...WRONG, { aborted: false }];
    const wrong = [null, 'no', 5, true, { timeoutms: 5 }, ...faultsOf({}, { timeoutMs: TIME, signal, failMs: AMOUNT })];
    for (const options of wrong) {
      for (const call of everyCall(one, 's', a, token)) await rejects(call(options as never), 'ERR_INVALID');
    }
    assert.deepEqual(await stateOf(one), before);
  },
};
