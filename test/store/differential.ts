import assert from 'node:assert/strict';
import { ORIGIN } from '../../ts/position.ts';
import type { Position } from '../../ts/position.ts';
import type { Acquire } from '../../ts/store/lock.ts';
import type { Append, Expiry, Membership, RecordKind, Store, Tail } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { Model } from './model.ts';
import type { Told } from './model.ts';

const IDS = ['a', 'b', 'ä 😀', 'c'];
const TERMS = ['t1', 'term two'];
const HOUR_MS = 3_600_000;
/** A hint that is not there after so many ms does not come. */
const HINT_TURNS = 2000;

interface Random {
  below(end: number): number;
  maybe(share: number): boolean;
  pick<T>(list: readonly T[]): T;
}

function randomOf(seed: number): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    below: (end) => Math.floor(next() * end),
    maybe: (share) => next() < share,
    pick: (list) => list[Math.floor(next() * list.length)] as never,
  };
}

/** One call: to the store, and to the model. */
interface Call {
  readonly what: string;
  readonly ask: (store: Store) => Promise<unknown>;
  readonly expect: (model: Model) => unknown;
  readonly learn?: (answer: unknown) => void;
}

interface Known {
  position: Position;
  token: number;
  state: string;
}

/** What one member believes of the sessions, right or wrong, and what it does next. */
class Client {
  readonly #random: Random;
  readonly #member: string;
  readonly #members: readonly string[];
  readonly #known = new Map<string, Known>(IDS.map((id) => [id, { position: ORIGIN, token: 0, state: 'live' }]));
  #ticket = 0;

  constructor(random: Random, member: string, members: readonly string[]) {
    this.#random = random;
    this.#member = member;
    this.#members = members;
  }

  next(): Call {
    const id = this.#random.pick(IDS);
    const chance = this.#random.below(1000);
    if (chance < 420) return this.#append(id);
    if (chance < 600) return this.#lock(id);
    if (chance < 690) return this.#read(id);
    if (chance < 760) return this.#unlock(id);
    if (chance < 840) return this.#touch(id);
    if (chance < 870) return this.#replace(id);
    return this.#overall(id, chance);
  }

  #call(
    what: string,
    id: string,
    args: unknown,
    ask: Call['ask'],
    expected: Call['expect'],
    learn?: Call['learn'],
  ): Call {
    return { what: `${what} ${id} ${plain(args)}`, ask, expect: expected, ...(learn && { learn }) };
  }

  #learn(id: string, tail: Tail | undefined, token?: number): void {
    const { head } = tail ?? {};
    this.#known.set(id, {
      position: head?.position ?? ORIGIN,
      token: token ?? head?.token ?? 0,
      state: head?.state ?? 'live',
    });
  }

  #acquire(): Acquire {
    if (this.#random.maybe(0.6)) this.#ticket += 1;
    const ticket = Math.max(0, this.#ticket - (this.#random.maybe(0.1) ? 1 : 0));
    return { member: this.#member, ticket, leaseMs: this.#random.pick([50, 400, 3000]), wait: this.#random.maybe(0.7) };
  }

  #expiry(): Expiry {
    const idle = this.#random.maybe(0.8) ? { idleMs: 200 + this.#random.below(100_000) } : {};
    return { ...idle, ...(this.#random.maybe(0.4) && { ageMs: 2000 + this.#random.below(500_000) }) };
  }

  #kind(parent: Position, state: string): RecordKind {
    const { random } = { random: this.#random };
    if (parent.revision === 0 || state === 'expired')
      return random.maybe(0.9) ? 'snapshot' : random.pick(['delta', 'end']);
    return random.maybe(0.8) ? 'delta' : random.maybe(0.8) ? 'snapshot' : 'end';
  }

  #append(id: string): Call {
    const random = this.#random;
    const known = this.#known.get(id) as Known;
    const parent = random.maybe(0.93)
      ? known.position
      : { revision: Math.max(0, known.position.revision - random.below(3)), nonce: random.below(50) };
    const position = { revision: parent.revision + (random.maybe(0.99) ? 1 : 2), nonce: random.below(2 ** 32) };
    const append: Append = {
      parent,
      position,
      kind: this.#kind(parent, known.state),
      bytes: new Uint8Array(random.below(60)).fill(7),
      under: random.maybe(0.4)
        ? this.#acquire()
        : Math.max(0, known.token + (random.maybe(0.9) ? 0 : random.below(5) - 2)),
      ...(random.maybe(0.3) && { expiry: this.#expiry() }),
      ...(random.maybe(0.3) && { first: random.below(position.revision + 2) }),
      ...(random.maybe(0.3) && { begins: random.maybe(known.state === 'live' ? 0.3 : 0.7) }),
      ...(random.maybe(0.2) && { terms: TERMS.filter(() => random.maybe(0.5)) }),
      ...(random.maybe(0.7) && { lock: random.pick(['renew', 'leave', 'release'] as const) }),
    };
    const learn = (answer: unknown): void => {
      const { appended, tail, token, grant } = answer as {
        appended?: boolean;
        tail?: Tail;
        token?: number;
        grant?: { token: number };
      };
      if (appended === true) this.#known.set(id, { position, token: token ?? 0, state: 'live' });
      else if (tail !== undefined) this.#learn(id, tail, random.maybe(0.9) ? (grant?.token ?? token) : known.token);
    };
    return this.#call(
      'append',
      id,
      append,
      (store) => store.append(id, append),
      (model) => model.append(id, append),
      learn,
    );
  }

  #lock(id: string): Call {
    const random = this.#random;
    const since = (this.#known.get(id) as Known).position;
    const request = {
      ...this.#acquire(),
      since,
      ...(random.maybe(0.3) && { limitBytes: random.below(200) }),
      ...(random.maybe(0.3) && { existing: random.maybe(0.8) }),
    };
    const learn = (answer: unknown): void => {
      const { tail, token } = answer as { tail?: Tail; token?: number };
      if (tail !== undefined) this.#learn(id, tail, token);
    };
    return this.#call(
      'lock',
      id,
      request,
      (store) => store.lock(id, request),
      (model) => model.lock(id, request),
      learn,
    );
  }

  #read(id: string): Call {
    const random = this.#random;
    const since = random.maybe(0.7) ? (this.#known.get(id) as Known).position : ORIGIN;
    const request = {
      since,
      ...(random.maybe(0.3) && { kept: random.maybe(0.7) }),
      ...(random.maybe(0.4) && { limitBytes: random.below(300) }),
    };
    return this.#call(
      'read',
      id,
      request,
      (store) => store.read(id, request),
      (model) => model.read(id, request),
      (answer) => this.#learn(id, answer as Tail),
    );
  }

  #unlock(id: string): Call {
    const random = this.#random;
    const who = random.maybe(0.6)
      ? { token: (this.#known.get(id) as Known).token }
      : { member: random.pick(this.#members), ticket: Math.max(0, this.#ticket - random.below(3)) };
    return this.#call(
      'unlock',
      id,
      who,
      (store) => store.unlock(id, who),
      (model) => model.unlock(id, who),
    );
  }

  #touch(id: string): Call {
    const random = this.#random;
    const touch = {
      token: (this.#known.get(id) as Known).token,
      ...(random.maybe(0.5) && { renew: true }),
      ...(random.maybe(0.3) && { expiry: this.#expiry() }),
    };
    return this.#call(
      'touch',
      id,
      touch,
      (store) => store.touch(id, touch),
      (model) => model.touch(id, touch),
    );
  }

  #replace(id: string): Call {
    const random = this.#random;
    const { position, token } = this.#known.get(id) as Known;
    const from = position.revision + random.below(3) + 1;
    const records = Array.from({ length: 1 + random.below(4) }, (_, n) => ({
      position: { revision: from + n, nonce: random.below(2 ** 32) },
      kind: n === 0 ? ('snapshot' as const) : random.pick(['delta', 'delta', 'snapshot'] as const),
      bytes: new Uint8Array(random.below(60)).fill(3),
    }));
    const image = {
      records,
      createdAt: 1_800_001_000_000,
      expiry: this.#expiry(),
      token,
      ...(random.maybe(0.5) && { terms: TERMS.slice(0, 1) }),
    };
    const expected = random.maybe(0.7) ? position : undefined;
    const learn = (answer: unknown): void => {
      const { appended, token: raised } = answer as { appended: boolean; token: number };
      if (appended) this.#known.set(id, { position: records.at(-1)?.position ?? ORIGIN, token: raised, state: 'live' });
    };
    return this.#call(
      'replace',
      id,
      { image, expected },
      (store) => store.replace(id, image, expected),
      (model) => model.replace(id, image, expected),
      learn,
    );
  }

  #overall(id: string, chance: number): Call {
    const random = this.#random;
    if (chance < 910)
      return this.#call(
        'inspect',
        id,
        '',
        (store) => store.inspect(id),
        (model) => model.inspect(id),
      );
    if (chance < 940) {
      const term = random.maybe(0.6) ? random.pick(TERMS) : undefined;
      return this.#call(
        'list',
        '',
        term,
        async (store) => (await store.list({ limit: 100, ...(term !== undefined && { term }) })).ids.toSorted(),
        (model) => model.list(term),
      );
    }
    if (chance < 997) {
      const graceMs = random.pick([0, 1000, 100_000]);
      return this.#call(
        'sweep',
        '',
        graceMs,
        async (store) => (await store.sweep({ limit: 100, graceMs })).swept,
        (model) => model.sweep(graceMs),
      );
    }
    const above = random.below(5);
    return this.#call(
      'promote',
      '',
      above,
      async (store) => (await store.promote(above)).epoch,
      (model) => model.promote(above),
    );
  }
}

const isBuffer = (value: unknown): value is { readonly data: number[] } =>
  isRecord(value) && 'type' in value && value.type === 'Buffer';
const plain = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => {
    if (inner === Infinity) return 'Infinity';
    const bytes = isBuffer(inner) ? inner.data : inner;
    return bytes instanceof Uint8Array || isBuffer(inner) ? Buffer.from(bytes as Uint8Array).toString('hex') : inner;
  }) ?? 'nothing';

/** In the order of their names. */
const sorted = (value: unknown): string =>
  plain(
    value === undefined
      ? undefined
      : JSON.parse(plain(value), (_, inner: unknown) =>
          isRecord(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
        ),
  );
const isRecord = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Random calls of several members, repeated ones and late ones among them: the store must answer each as the model
 * does, and send the same hints. Returns how often there was each kind of answer. `jumps`: of the wall clock alone,
 * which a store with one clock would take for time that passes.
 */
export async function differ(
  open: (clock: VirtualClock) => Store | Promise<Store>,
  seed: number,
  calls: number,
  { jumps = true }: { readonly jumps?: boolean } = {},
): Promise<ReadonlyMap<string, number>> {
  const tally = new Map<string, number>();
  const random = randomOf(seed);
  const clock = new VirtualClock();
  const store = await open(clock);
  const told: Told[] = [];
  const joined: Membership[] = [];
  for (let i = 0; i < 4; i += 1) {
    const label = `${i}`;
    joined.push(await store.join((hint) => void told.push({ member: label, hint })));
  }
  const members = joined.map(({ member }) => member);
  const model = new Model(clock, store.can.watch ? members[0] : undefined);
  if (store.can.watch) await joined[0]?.watch('all');
  const clients = members.map((member) => new Client(random, member, members));
  const done: Call[] = [];
  let jumped = 0;
  for (let i = 0; i < calls; i += 1) {
    clock.pass(random.maybe(0.7) ? random.below(40) : random.maybe(0.95) ? random.below(2000) : random.below(200_000));
    if (random.maybe(jumped === 0 ? 0.002 : 0.02) && jumps) {
      const jump = jumped === 0 ? random.pick([-2, 2]) * HOUR_MS : -jumped;
      clock.jump(jump);
      jumped += jump;
    }
    const late = done.length > 0 && random.maybe(0.08);
    const call = late
      ? ((random.maybe(0.5) ? done.at(-1) : done[Math.max(0, done.length - 1 - random.below(200))]) as Call)
      : random.pick(clients).next();
    const answer = await call.ask(store).catch((error: { code: string }) => error.code);
    const expected = call.expect(model);
    await Promise.resolve();
    const where = `seed ${seed}, call ${i}: ${call.what}`;
    assert.equal(sorted(answer), sorted(expected), where);
    for (let turn = 0; told.length < model.told.length && turn < HINT_TURNS; turn += 1)
      await new Promise((resolve) => setTimeout(resolve, 1)); // on their way
    const hints = model.told.splice(0).map(({ member, hint }) => ({ member: `${members.indexOf(member)}`, hint }));
    assert.equal(plain(told.splice(0)), plain(hints), `hints of ${where}`);
    if (!late) call.learn?.(answer);
    done.push(call);
    const kind = `${call.what.split(' ', 1)[0]}${kindOf(answer)}`;
    tally.set(kind, (tally.get(kind) ?? 0) + 1);
  }
  await store.close();
  return tally;
}

function kindOf(answer: unknown): string {
  const { appended, granted, touched, why, tail, grant } = (isRecord(answer) ? answer : {}) as {
    appended?: boolean;
    granted?: boolean;
    touched?: boolean;
    why?: string;
    tail?: Tail;
    grant?: object;
  };
  if (typeof answer === 'string') return ` ${answer}`;
  return `${[appended, granted, touched].includes(true) ? ' yes' : ''}${why ? ` ${why}` : ''}${tail?.head && tail.head.state !== 'live' ? ` (${tail.head.state})` : ''}${grant ? ' granted' : ''}`;
}
