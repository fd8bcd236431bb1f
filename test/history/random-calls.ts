import type { Final } from '../../ts/history/check.ts';
import type { Mark } from '../../ts/history/mark.ts';
import { PLANTS } from '../../ts/history/planted.ts';
import type { PlantName } from '../../ts/history/planted.ts';
import { Recorder, shortHead } from '../../ts/history/record.ts';
import { ORIGIN } from '../../ts/position.ts';
import type { Position } from '../../ts/position.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Acquire } from '../../ts/store/lock.ts';
import type { Append, Expiry, Head, HeadState, ImageRecord, RecordKind, Store } from '../../ts/store/store.ts';
import type { Token } from '../../ts/token.ts';
import { SLOWEST_MS, delayed } from './link.ts';
import type { Losses } from './link.ts';
import { NO_ENTROPY, VirtualClock, randomFrom } from './world.ts';

/** What a caller takes a session for, which may be long untrue. */
interface View {
  readonly position: Position;
  readonly token: Token;
  readonly state: HeadState | 'none';
}

export interface RandomRun {
  readonly marks: readonly Mark[];
  readonly finals: readonly Final[];
}

const IDS = ['a', 'b'];
const CALLERS = 2;
const CALLS = 120;
const UNSEEN: View = { position: ORIGIN, token: 0, state: 'none' };

/** How the ways to the store are. The first loses nothing, so that expiries are judged most strictly. */
const WAYS: readonly Losses[] = [
  { latency: 0, patience: 50, lossBefore: 0, lossAfter: 0, late: 0 },
  { latency: 0, patience: 1, lossBefore: 0.05, lossAfter: 0.08, late: 0 },
  { latency: 15, patience: 40, lossBefore: 0.03, lossAfter: 0.05, late: 0.05 },
];

/**
 * Callers that follow no protocol: calls of all kinds, in any order, as the contract of stores allows them. The seed
 * tells all.
 */
export async function randomCalls(
  seed: number,
  { plant, every = 10 }: { readonly plant?: PlantName; readonly every?: number } = {},
): Promise<RandomRun> {
  const clock = new VirtualClock();
  const random = randomFrom(seed);
  const inner = new MemoryStore({ clock, entropy: NO_ENTROPY, sweepEveryMs: Infinity });
  const planted = plant && PLANTS[plant](inner, { clock, every });
  const way = { knobs: WAYS[seed % WAYS.length] as Losses, clock, random };
  const marks: Mark[] = [];
  let left = CALLERS;
  for (let i = 0; i < CALLERS; i += 1) {
    const recorder = new Recorder({ who: `c${i}`, clock, sink: (mark) => marks.push(mark) });
    const store = recorder.store(delayed(planted ?? inner, way), 'primary', 'primary');
    const caller = new Caller(i, store, clock, random);
    void caller.work(() => random() < 0.02 && planted?.restarted()).finally(() => (left -= 1));
  }
  await clock.until(() => left === 0);
  let settled = false;
  clock.after(2 * SLOWEST_MS, () => (settled = true));
  await clock.until(() => settled);
  const finals = await Promise.all(
    IDS.map(async (id): Promise<Final> => {
      const { head } = await inner.read(id, { since: ORIGIN, limitBytes: 0 });
      return { store: 'primary', id, wall: clock.now(), head: shortHead(head) };
    }),
  );
  await inner.close();
  return { marks, finals };
}

class Caller {
  readonly #number: number;
  readonly #store: Store;
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  readonly #views = new Map<string, View>();
  /** Calls that may be made again as they were. */
  readonly #made: (() => Promise<unknown>)[] = [];
  #member = '';
  #ticket = 0;
  #nonces = 0;

  constructor(number: number, store: Store, clock: VirtualClock, random: () => number) {
    this.#number = number;
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  async work(between: () => void): Promise<void> {
    this.#member = (await this.#store.join(() => undefined)).member;
    for (let i = 0; i < CALLS; i += 1) {
      await this.#clock.sleep(this.#below(this.#maybe(0.8) ? 100 : this.#maybe(0.8) ? 1500 : 5000));
      between();
      // What a call is rejected with tells a caller of this kind nothing.
      await this.#call().catch(() => undefined);
    }
  }

  #maybe(chance: number): boolean {
    return this.#random() < chance;
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #nonce(): number {
    return 1 + CALLERS * (this.#nonces += 1) + this.#number;
  }

  async #call(): Promise<void> {
    const id = this.#pick(IDS);
    const chance = this.#random();
    if (chance < 0.06 && this.#made.length > 0)
      return void (await this.#made.at(-1 - this.#below(Math.min(20, this.#made.length)))?.());
    if (chance < 0.45) return this.#append(id);
    if (chance < 0.58) return this.#lock(id);
    if (chance < 0.75) return this.#read(id);
    if (chance < 0.84) return this.#touch(id);
    if (chance < 0.89)
      return this.#store.unlock(
        id,
        this.#maybe(0.5) ? { token: this.#view(id).token } : { member: this.#member, ticket: this.#ticket },
      );
    if (chance < 0.93) return void (await this.#store.sweep({ limit: 10, graceMs: 2 * SLOWEST_MS }));
    if (chance < 0.97) return this.#list();
    if (chance < 0.98) return void (await this.#store.promote(0));
    return this.#replace(id);
  }

  /** Makes a call that may be made again. */
  #make<T>(call: () => Promise<T>): Promise<T> {
    this.#made.push(call);
    return call();
  }

  #view(id: string): View {
    return this.#views.get(id) ?? UNSEEN;
  }

  #learn(id: string, head: Head | undefined, token: Token = head?.token ?? 0): void {
    this.#views.set(id, { position: head?.position ?? ORIGIN, token, state: head?.state ?? 'none' });
  }

  #rule(): { readonly expiry?: Expiry } {
    if (this.#maybe(0.6)) return {};
    return {
      expiry: {
        ...(this.#maybe(0.7) && { idleMs: 500 + this.#below(4000) }),
        ...(this.#maybe(0.4) && { ageMs: 500 + this.#below(8000) }),
      },
    };
  }

  #acquire(wait: boolean): Acquire {
    return { member: this.#member, ticket: this.#maybe(0.8) ? (this.#ticket += 1) : this.#ticket, leaseMs: 800, wait };
  }

  #kind({ position, state }: View): RecordKind {
    if (position.revision === 0 || (state === 'expired' && this.#maybe(0.8))) return 'snapshot';
    return this.#maybe(0.7) ? 'delta' : this.#maybe(0.7) ? 'snapshot' : 'end';
  }

  async #append(id: string): Promise<void> {
    const view = this.#view(id);
    const { position: parent, token } = view;
    const kind = this.#kind(view);
    const nonce = this.#nonce();
    const saysBegins = kind === 'snapshot' && this.#maybe(0.6);
    const append: Append = {
      parent,
      kind,
      position: { revision: parent.revision + 1, nonce },
      bytes: Buffer.from(`${nonce}`),
      under: this.#maybe(0.3) ? this.#acquire(false) : token,
      begins: saysBegins ? parent.revision === 0 || this.#maybe(0.6) : undefined,
      ...(this.#maybe(0.1) && { createdAt: this.#clock.now() - this.#below(3000) }),
      ...(this.#maybe(0.3) && { first: this.#below(parent.revision + 2) }),
      ...this.#rule(),
    };
    const reply = await this.#make(() => this.#store.append(id, append));
    if (reply.appended)
      this.#views.set(id, { position: append.position, token: reply.token, state: kind === 'end' ? 'ended' : 'live' });
    else if (reply.why !== 'locked') this.#learn(id, reply.tail.head, reply.grant?.token ?? reply.token);
  }

  async #lock(id: string): Promise<void> {
    const request = {
      ...this.#acquire(this.#maybe(0.5)),
      since: this.#maybe(0.5) ? this.#view(id).position : ORIGIN,
      existing: this.#maybe(0.3),
    };
    const reply = await this.#make(() => this.#store.lock(id, request));
    if (reply.granted) this.#learn(id, reply.tail.head, reply.token);
  }

  async #read(id: string): Promise<void> {
    const since = this.#maybe(0.5) ? this.#view(id).position : ORIGIN;
    const tail = await this.#store.read(id, { since, ...(this.#maybe(0.3) && { limitBytes: 0 }) });
    this.#learn(id, tail.head);
  }

  async #touch(id: string): Promise<void> {
    const touch = { token: this.#view(id).token, renew: this.#maybe(0.3), ...(this.#maybe(0.5) && this.#rule()) };
    await this.#make(() => this.#store.touch(id, touch));
  }

  async #list(): Promise<void> {
    let cursor: string | undefined;
    do ({ cursor } = await this.#store.list({ limit: 1, ...(cursor !== undefined && { cursor }) }));
    while (cursor !== undefined);
  }

  async #replace(id: string): Promise<void> {
    const { position, token } = this.#view(id);
    const from = position.revision + 1 + this.#below(2);
    const records = Array.from({ length: 1 + this.#below(3) }, (_, i): ImageRecord => {
      const nonce = this.#nonce();
      return {
        position: { revision: from + i, nonce },
        kind: i === 0 ? 'snapshot' : 'delta',
        bytes: Buffer.from(`${nonce}`),
      };
    });
    const image = { records, createdAt: this.#clock.now() - this.#below(2000), expiry: { idleMs: 3000 }, token };
    const expected = this.#maybe(0.8) ? position : undefined;
    const reply = await this.#make(() => this.#store.replace(id, image, expected));
    const last = records.at(-1)?.position ?? ORIGIN;
    if (reply.appended) this.#views.set(id, { position: last, token: reply.token, state: 'live' });
    else if (reply.why !== 'locked') this.#learn(id, reply.tail.head);
  }
}
