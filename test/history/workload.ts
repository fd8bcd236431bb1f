import type { Clock } from '../../ts/clock.ts';
import { HoldfastError } from '../../ts/errors.ts';
import type { Final, CheckOptions } from '../../ts/history/check.ts';
import type { Mark } from '../../ts/history/mark.ts';
import { PLANTS } from '../../ts/history/planted.ts';
import type { PlantName, PlantedStore } from '../../ts/history/planted.ts';
import { Recorder } from '../../ts/history/record.ts';
import type { RecordedUse } from '../../ts/history/record.ts';
import { ORIGIN } from '../../ts/position.ts';
import type { Position } from '../../ts/position.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Acquire } from '../../ts/store/lock.ts';
import type { Append, Appended, Expiry, ImageRecord, Store, Tail } from '../../ts/store/store.ts';
import type { Token } from '../../ts/token.ts';
import { SLOWEST_MS, delayed } from './link.ts';
import type { Losses } from './link.ts';
import { NO_ENTROPY, VirtualClock, randomFrom } from './world.ts';

/** How much of what happens. */
export interface Knobs extends Losses {
  readonly clients: number;
  readonly ids: number;
  readonly uses: number;
  readonly leaseMs: number;
  /** Chance of a use that lingers, and for how long at most. */
  readonly lingers: number;
  readonly lingerMs: number;
  readonly ends: number;
  readonly restores: number;
  readonly touches: number;
  readonly optimistic: number;
  /** Idle expiry of sessions, where they have one. */
  readonly idleMs: number | undefined;
  readonly restarts: number;
  readonly promotions: number;
  /** Most ms between two uses of a client. */
  readonly pauseMs: number;
}

export interface Run {
  readonly marks: readonly Mark[];
  readonly finals: readonly Final[];
  readonly options: CheckOptions;
}

export function knobsOf(seed: number, given: Partial<Knobs> = {}): Knobs {
  const random = randomFrom(seed * 7919);
  const pick = <T>(...list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  return {
    clients: pick(2, 3, 4),
    ids: pick(1, 2, 3),
    uses: pick(6, 10, 14),
    leaseMs: pick(60, 150, 600),
    latency: pick(1, 4, 15),
    patience: pick(40, 120),
    lossBefore: pick(0, 0.02, 0.05),
    lossAfter: pick(0, 0.02, 0.05),
    lingers: pick(0.1, 0.3),
    lingerMs: pick(50, 400),
    ends: pick(0, 0.03, 0.08),
    restores: pick(0, 0, 0.05),
    touches: pick(0.05, 0.2),
    optimistic: pick(0, 0.3),
    idleMs: pick(undefined, undefined, 250, 800),
    restarts: pick(0, 2),
    late: 0.01,
    promotions: pick(0, 0, 1),
    pauseMs: pick(20, 80, 300),
    ...given,
  };
}

const text = new TextDecoder();

/** One record: its nonce, and the key that it adds or all keys. */
interface Line {
  readonly nonce: number;
  readonly key?: string;
  readonly all?: readonly string[];
}

/** A session as a client knows it. */
interface Image {
  readonly position: Position;
  readonly keys: readonly string[];
  readonly since: number;
}

const EMPTY: Image = { position: ORIGIN, keys: [], since: 0 };

/** The state after `base` and a tail. */
function fold(base: Image, tail: Tail): Image {
  const { head } = tail;
  if (head === undefined || head.state === 'expired') return { ...EMPTY, position: head?.position ?? ORIGIN };
  let { position, keys, since } = tail.whole ? { ...EMPTY, position: { revision: head.snapshot - 1, nonce: 0 } } : base;
  for (const bytes of tail.records) {
    const { nonce, key, all } = lineOf(bytes);
    position = { revision: position.revision + 1, nonce };
    keys = all ?? [...keys, ...(key === undefined ? [] : [key])];
    since = all === undefined ? since + 1 : 0;
  }
  return { position, keys, since };
}

/** A store with a fault may hand out what nobody can read. */
function lineOf(bytes: Uint8Array): Line {
  try {
    return JSON.parse(text.decode(bytes)) as Line;
  } catch {
    return { nonce: 0 };
  }
}

const bytesOf = (line: Line): Uint8Array => new TextEncoder().encode(JSON.stringify(line));

/** A few clients on one store, under a virtual clock: what they do and suffer follows from the seed. */
export async function run(
  seed: number,
  {
    plant,
    every = 20,
    knobs: given,
  }: { readonly plant?: PlantName; readonly every?: number; readonly knobs?: Partial<Knobs> } = {},
): Promise<Run> {
  const knobs = knobsOf(seed, given);
  const clock = new VirtualClock();
  const inner = new MemoryStore({ clock, entropy: NO_ENTROPY, sweepEveryMs: 150, sweepGraceMs: SLOWEST_MS });
  const planted = plant && PLANTS[plant](inner, { clock, every });
  const marks: Mark[] = [];
  const random = randomFrom(seed);
  const ids = new Set<string>();
  const shared = { knobs, clock, random, ids, names: Array.from({ length: knobs.ids }, (_, i) => nameOf(ids, i)) };
  const store: Store = planted ?? inner;
  let left = knobs.clients;
  for (let i = 0; i < knobs.clients; i += 1) {
    const recorder = new Recorder({ who: `c${i}`, clock, sink: (mark) => marks.push(mark) });
    const client = new Client(`c${i}`, recorder, recorder.store(delayed(store, shared), 'primary', 'primary'), shared);
    void client.work().finally(() => (left -= 1));
  }
  plan(shared, planted, store, marks);
  await clock.until(() => left === 0);
  const end = clock.monotonic() + 2 * SLOWEST_MS;
  void clock.after(2 * SLOWEST_MS, () => undefined);
  await clock.until(() => clock.monotonic() >= end);
  const finals = await Promise.all([...ids].map((id) => judge(inner, id, clock)));
  await inner.close();
  return { marks, finals, options: { expiry: { slackMs: 0, lateMs: SLOWEST_MS } } };
}

interface Shared {
  readonly knobs: Knobs;
  readonly clock: VirtualClock;
  readonly random: () => number;
  /** All ids that were ever used; and the one in use for each place. */
  readonly ids: Set<string>;
  readonly names: string[];
}

function nameOf(ids: Set<string>, place: number): string {
  const id = `${'abcdef'[place]}${ids.size}`;
  ids.add(id);
  return id;
}

async function judge(store: Store, id: string, clock: Clock): Promise<Final> {
  const tail = await store.read(id, { since: ORIGIN });
  const { keys } = tail.head?.state === 'live' ? fold(EMPTY, tail) : EMPTY;
  const head = tail.head && { ...tail.head, leftMs: undefined };
  return { store: 'primary', id, wall: clock.now(), head, keys };
}

/** Restarts and promotions at times of their own. */
function plan({ knobs, clock, random }: Shared, planted: PlantedStore | undefined, store: Store, marks: Mark[]): void {
  const span = knobs.uses * (knobs.pauseMs + 4 * knobs.latency);
  const operator = new Recorder({ who: 'operator', clock, sink: (mark) => marks.push(mark) }).store(
    store,
    'primary',
    'primary',
  );
  for (let i = 0; i < knobs.restarts; i += 1) clock.after(random() * span, () => planted?.restarted());
  for (let i = 0; i < knobs.promotions; i += 1) clock.after(random() * span, () => void operator.promote(0));
}

/** The use cannot go on: its keys were not saved, or nobody knows. */
class Stop extends Error {
  readonly outcome: 'failed' | 'unknown';

  constructor(outcome: 'failed' | 'unknown') {
    super(outcome);
    this.outcome = outcome;
  }
}

class Client {
  readonly #who: string;
  readonly #recorder: Recorder;
  readonly #store: Store;
  readonly #shared: Shared;
  #member = '';
  #ticket = 0;
  #keys = 0;
  /** Records whose outcome was unknown at least once, by nonce. */
  readonly #unknown = new Set<number>();
  /** Images of before, to be restored. */
  readonly #kept = new Map<
    string,
    {
      readonly records: readonly ImageRecord[];
      readonly position: Position;
      readonly expiry: Expiry;
      readonly createdAt: number;
    }
  >();

  constructor(who: string, recorder: Recorder, store: Store, shared: Shared) {
    this.#who = who;
    this.#recorder = recorder;
    this.#store = store;
    this.#shared = shared;
  }

  async work(): Promise<void> {
    const { knobs, clock, random, names, ids } = this.#shared;
    this.#member = (await this.#store.join(() => undefined)).member;
    for (let i = 0; i < knobs.uses; i += 1) {
      await clock.sleep(random() * knobs.pauseMs);
      const place = Math.floor(random() * knobs.ids);
      const id = names[place] as string;
      const r = random();
      if (r < knobs.ends) await this.#use(id, 'delete', (use) => this.#end(id, use));
      else if (r < knobs.ends + knobs.restores) await this.#restore(id);
      else if (r < knobs.ends + knobs.restores + knobs.touches) await this.#touch(id);
      else if (r < 0.6 + knobs.optimistic && r >= 0.6)
        await this.#use(id, undefined, (use) => this.#optimistic(id, use));
      else if (r > 0.92) await this.#use(id, undefined, (use) => this.#read(id, use));
      else await this.#use(id, undefined, (use) => this.#locked(id, use));
      if (r < knobs.ends && names[place] === id) names[place] = nameOf(ids, place);
    }
  }

  async #use(
    id: string,
    ends: 'delete' | undefined,
    run: (use: RecordedUse) => Promise<number | undefined>,
  ): Promise<void> {
    const use = this.#recorder.use({ store: 'primary', id, ends });
    try {
      use.done('ok', { length: await run(use) });
    } catch (error) {
      if (!(error instanceof Stop) && !(error instanceof HoldfastError)) throw error;
      const failed =
        error instanceof Stop
          ? error.outcome === 'failed'
          : error.outcome === 'none' || error.code !== 'ERR_UNAVAILABLE';
      use.done(failed ? 'failed' : 'unknown');
    }
  }

  async #lock(id: string): Promise<{ readonly token: Token; readonly tail: Tail }> {
    const { knobs, clock, random } = this.#shared;
    const request = { ...this.#acquire(), since: ORIGIN };
    for (let tries = 0; tries < 12; tries += 1) {
      const reply = await this.#store.lock(id, request).catch(() => undefined);
      if (reply?.granted === true) return reply;
      await clock.sleep(Math.min(reply?.retryMs ?? 10, knobs.leaseMs / 2) + random() * 5);
    }
    await this.#store.unlock(id, { member: this.#member, ticket: request.ticket }).catch(() => undefined);
    throw new Stop('failed');
  }

  #acquire(): Acquire {
    return { member: this.#member, ticket: (this.#ticket += 1), leaseMs: this.#shared.knobs.leaseMs, wait: true };
  }

  #draw(use: RecordedUse): string {
    const key = `${this.#who}.${(this.#keys += 1)}`;
    use.put([key]);
    return key;
  }

  #nonce(): number {
    return 1 + Math.floor(this.#shared.random() * 2 ** 40);
  }

  /** The record that adds a key: a snapshot now and then, and where nothing can be built on. */
  #record(image: Image, key: string, live: boolean): Pick<Append, 'parent' | 'position' | 'kind' | 'bytes' | 'expiry'> {
    const nonce = this.#nonce();
    const { idleMs } = this.#shared.knobs;
    const position = { revision: image.position.revision + 1, nonce };
    if (live && image.since < 5)
      return { parent: image.position, position, kind: 'delta', bytes: bytesOf({ nonce, key }) };
    const expiry = live ? undefined : { idleMs };
    return {
      parent: image.position,
      position,
      kind: 'snapshot',
      bytes: bytesOf({ nonce, all: [...image.keys, key] }),
      expiry,
    };
  }

  /**
   * Offers the record until its outcome is known, or for a while. Where it may be compacted out of sight, nobody knows.
   */
  async #append(id: string, append: Append): Promise<Appended> {
    const { position } = append;
    for (let tries = 0; ; tries += 1) {
      try {
        const reply = await this.#store.append(id, append);
        if (reply.appended || reply.why === 'locked' || !this.#unknown.has(position.nonce)) return reply;
        if (
          reply.tail.head !== undefined &&
          reply.tail.head.state !== 'expired' &&
          reply.tail.head.first <= position.revision
        )
          return reply;
        throw new Stop('unknown');
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.outcome !== 'unknown') throw error;
        this.#unknown.add(position.nonce);
        if (tries === 2) throw error;
      }
    }
  }

  async #locked(id: string, use: RecordedUse): Promise<number> {
    const { knobs, clock, random } = this.#shared;
    const { token, tail } = await this.#lock(id);
    if (tail.head?.state === 'ended') return this.#giveBack(id, token);
    let image = fold(EMPTY, tail);
    use.saw(image.keys);
    this.#keep(id, tail, image);
    let live = tail.head?.state === 'live';
    for (let saves = random() < 0.3 ? 2 : 1; saves > 0; saves -= 1) {
      if (random() < knobs.lingers) await clock.sleep(random() * knobs.lingerMs);
      const key = this.#draw(use);
      const lock = saves > 1 ? 'renew' : random() < 0.4 ? 'release' : random() < 0.5 ? 'leave' : 'renew';
      const record = this.#record(image, key, live);
      const reply = await this.#append(id, { ...record, under: token, lock });
      if (!reply.appended) throw new Stop('failed');
      image = {
        position: record.position,
        keys: [...image.keys, key],
        since: record.kind === 'delta' ? image.since + 1 : 0,
      };
      live = true;
      use.kept([key], 'ok', image.keys.length);
    }
    await this.#store
      .unlock(id, random() < 0.5 ? { token } : { member: this.#member, ticket: this.#ticket })
      .catch(() => undefined);
    return image.keys.length;
  }

  async #giveBack(id: string, token: Token): Promise<never> {
    await this.#store.unlock(id, { token }).catch(() => undefined);
    throw new Stop('failed');
  }

  async #optimistic(id: string, use: RecordedUse): Promise<number> {
    const { clock, random, knobs } = this.#shared;
    const tail = await this.#store.read(id, { since: ORIGIN });
    if (tail.head?.state === 'ended') throw new Stop('failed');
    let image = fold(EMPTY, tail);
    use.saw(image.keys);
    if (random() < knobs.lingers) await clock.sleep(random() * knobs.lingerMs);
    const key = this.#draw(use);
    let under: Token | Acquire = this.#acquire();
    let record = this.#record(image, key, tail.head?.state === 'live');
    for (let tries = 0; tries < 8; tries += 1) {
      const reply = await this.#append(id, { ...record, under, ...(typeof under === 'number' && { lock: 'release' }) });
      if (reply.appended) return image.keys.length + 1;
      if (reply.why === 'locked') await clock.sleep(Math.min(reply.retryMs, knobs.leaseMs / 2) + 1);
      else if (reply.why === 'fenced' || reply.tail.head?.state === 'ended') throw new Stop('failed');
      else {
        image = fold(image, reply.tail);
        record = this.#record(image, key, reply.tail.head?.state === 'live');
        if (reply.grant !== undefined) under = reply.grant.token;
        else if (typeof under === 'number') throw new Stop('failed');
        else under = this.#acquire();
      }
    }
    throw new Stop(this.#unknown.has(record.position.nonce) ? 'unknown' : 'failed');
  }

  async #read(id: string, use: RecordedUse): Promise<undefined> {
    const tail = await this.#store.read(id, { since: ORIGIN });
    if (tail.head?.state !== 'ended') use.saw(fold(EMPTY, tail).keys);
    if (this.#shared.random() < 0.3) await this.#store.inspect(id);
  }

  async #touch(id: string): Promise<void> {
    const { random, knobs } = this.#shared;
    const head = await this.#store.read(id, { since: ORIGIN, limitBytes: 0 }).then(
      (tail) => tail.head,
      () => undefined,
    );
    if (head === undefined) return;
    const rule =
      knobs.idleMs !== undefined && random() < 0.3 ? { expiry: { idleMs: knobs.idleMs * (0.5 + random()) } } : {};
    await this.#store.touch(id, { token: head.token, ...rule }).catch(() => undefined);
  }

  async #end(id: string, _use: RecordedUse): Promise<undefined> {
    const { token, tail } = await this.#lock(id);
    if (tail.head?.state !== 'live') return this.#giveBack(id, token);
    const nonce = this.#nonce();
    const { position: parent } = tail.head;
    const reply = await this.#append(id, {
      parent,
      position: { revision: parent.revision + 1, nonce },
      kind: 'end',
      bytes: bytesOf({ nonce }),
      under: token,
    });
    if (!reply.appended) throw new Stop('failed');
  }

  #keep(id: string, { head, records, whole }: Tail, { position }: Image): void {
    if (head?.state !== 'live' || !whole || this.#shared.random() > 0.5) return;
    const lines = records.map((bytes, i): ImageRecord => {
      const line = lineOf(bytes);
      return {
        position: { revision: head.snapshot + i, nonce: line.nonce },
        kind: line.all === undefined ? 'delta' : 'snapshot',
        bytes,
      };
    });
    this.#kept.set(id, { records: lines, position, expiry: head.expiry, createdAt: head.createdAt });
  }

  async #restore(id: string): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    const { records, expiry, createdAt, position } = kept;
    const use = this.#recorder.use({ store: 'primary', id, restores: true });
    try {
      const { epoch } = await this.#store.ping();
      const reply = await this.#store.replace(
        id,
        { records, expiry, createdAt, token: epoch * 2 ** 32 },
        this.#shared.random() < 0.3 ? position : undefined,
      );
      use.done(reply.appended ? 'ok' : 'failed');
    } catch {
      use.done('unknown');
    }
  }
}
