import type { Clock } from '../clock.ts';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import type { Token } from '../token.ts';
import type { Append, Appended, Tail } from './store.ts';

/**
 * Replication that lags by more than this is not covered, nor a primary that goes on for longer after its replica was
 * promoted: Sentinels end it when they have found it so for 8 s.
 */
export const KEPT_MS = 30_000;
/** Of all records that are kept; those of the sessions that were saved longest ago go first. */
const MOST_BYTES = 8 << 20;
/** For so long another writer may bring what ours follow. */
const WAIT_MS = 2000;
const AGAIN_MS = 25;
/** Of a session, about, beside its records. */
const KNOWN_BYTES = 200;

interface Kept {
  readonly append: Append;
  readonly at: number;
}

/** What this process knows of a session. */
interface Known {
  /** Ours, in the order of their revisions; others' are left out. */
  readonly tail: Kept[];
  /** The latest revision that was seen there, ours or not, and when. */
  revision: number;
  at: number;
}

/** How what was lost is brought back, as a writer would do it. */
export interface Rescue {
  offer(id: string, append: Append): Promise<Appended>;
  /** The head alone, and whether this position is in its log (`whole`: it is not). */
  look(id: string, since: Position): Promise<Tail>;
}

/**
 * What the writers of this process appended last, kept until it is likely to be everywhere: when another server takes
 * the place of the one that acknowledged it (a replica was promoted, or it was started again from what its disk had),
 * they append it again where it is lacked, from the last record that is still there. Whoever wrote first wins; what is
 * lost then is told.
 */
export class RedisTails {
  readonly #clock: Clock;
  readonly #onLost: (id: string, position: Position) => void;
  /** In the order in which they were seen last. */
  readonly #sessions = new Map<string, Known>();
  /** Those that a server may lack. */
  readonly #due = new Set<string>();
  readonly #waiting = new Map<string, Promise<void>>();
  #bytes = 0;

  constructor(clock: Clock, onLost: (id: string, position: Position) => void) {
    this.#clock = clock;
    this.#onLost = onLost;
  }

  /** It was acknowledged, under `token`; nobody else has its bytes. */
  note(id: string, append: Append, token: Token): void {
    const { revision, nonce } = append.position;
    const { tail } = this.see(id, revision);
    if (tail.some(({ append: { position } }) => position.revision === revision && position.nonce === nonce)) return;
    for (let last = tail.at(-1); last !== undefined && last.append.position.revision >= revision; last = tail.at(-1)) {
      tail.pop(); // the session was put back since
      this.#bytes -= last.append.bytes.length;
      if (this.#due.has(id)) this.#onLost(id, last.append.position);
    }
    // The lock is left to whoever has it then.
    const at = this.#clock.monotonic();
    tail.push({ append: { ...append, under: token, lock: 'leave' }, at });
    this.#bytes += append.bytes.length;
    while ((tail[0] as Kept).at < at - KEPT_MS) this.#drop(tail);
  }

  /** This revision is there, whoever wrote it. */
  see(id: string, revision: number): Known {
    const known = this.#sessions.get(id) ?? { tail: [], revision: 0, at: 0 };
    known.revision = revision;
    known.at = this.#clock.monotonic();
    if (!this.#sessions.delete(id)) this.#bytes += KNOWN_BYTES;
    this.#sessions.set(id, known); // the newest
    this.#prune(known.at - KEPT_MS);
    return known;
  }

  /** Another state takes its place. */
  forget(id: string): void {
    const known = this.#sessions.get(id);
    if (known === undefined) return;
    while (known.tail.length > 0) this.#drop(known.tail);
    this.#bytes -= KNOWN_BYTES;
    this.#sessions.delete(id);
    this.#due.delete(id);
  }

  /** Until then the session may lack what others bring back; undefined: nobody is waited for. */
  waiting(id: string): Promise<void> | undefined {
    return this.#waiting.get(id);
  }

  ids(): Iterable<string> {
    return this.#sessions.keys();
  }

  /**
   * Brings back what a server lacks, of the sessions that are there: those for which another has acknowledged it all, or
   * that could not be brought all of it so far. Resolves when all was looked at; see `waiting` for what goes on then.
   */
  async rescue(isHere: (id: string) => boolean, isOther: (id: string) => boolean, rescue: Rescue): Promise<void> {
    for (const id of this.#sessions.keys()) if (isOther(id)) this.#due.add(id);
    const until = this.#clock.monotonic() + WAIT_MS;
    const one = async (id: string): Promise<void> => {
      if (await this.#attempt(id, rescue, until)) return;
      const waiting = this.#repeat(id, rescue, until).finally(() => this.#waiting.delete(id));
      this.#waiting.set(id, waiting);
    };
    await Promise.all([...this.#due].filter(isHere).map(one));
  }

  /** Nothing is brought back any more. */
  close(): void {
    this.#sessions.clear();
  }

  async #repeat(id: string, rescue: Rescue, until: number): Promise<void> {
    do await new Promise<void>((resolve) => this.#clock.after(AGAIN_MS, resolve, true));
    while (!(await this.#attempt(id, rescue, until)));
  }

  /** False: it is to be tried again. */
  async #attempt(id: string, rescue: Rescue, until: number): Promise<boolean> {
    const known = this.#sessions.get(id);
    const tail = known?.tail.map(({ append }) => append) ?? [];
    const lacked = await bringBack(id, tail, known?.revision ?? 0, rescue).catch(() => undefined);
    const isOver = this.#clock.monotonic() >= until || !this.#sessions.has(id);
    // It failed, by a full memory or a connection that is lost again: it stays due.
    if (lacked === undefined) return isOver;
    if (lacked.mayCome && !isOver) return false;
    this.#due.delete(id);
    if (lacked.appends.length === 0 || !this.#sessions.has(id)) return true;
    this.forget(id);
    for (const { position } of lacked.appends) this.#onLost(id, position);
    return true;
  }

  /** What was seen before, or is too much. */
  #prune(oldest: number): void {
    for (const [id, { tail, at }] of this.#sessions) {
      if (this.#due.has(id)) continue;
      while (this.#bytes > MOST_BYTES && tail.length > 0) this.#drop(tail);
      if (at >= oldest && this.#bytes <= MOST_BYTES) break;
      this.forget(id);
    }
  }

  #drop(tail: Kept[]): void {
    this.#bytes -= (tail.shift() as Kept).append.bytes.length;
  }
}

interface Lacked {
  readonly appends: readonly Append[];
  /** Another has what they follow, and its connection may come back. */
  readonly mayCome: boolean;
}

const NONE: Lacked = { appends: [], mayCome: false };

/** What of a tail is not there in the end. `seen`: the latest revision that was there. */
async function bringBack(id: string, tail: readonly Append[], seen: number, { offer, look }: Rescue): Promise<Lacked> {
  const since = tail.at(-1)?.position ?? ORIGIN;
  const { head, whole } = await look(id, since);
  if (head?.state === 'expired') return NONE;
  const { revision } = head?.position ?? ORIGIN;
  if (tail.length === 0 || !whole) return { appends: [], mayCome: revision < seen };
  const later = tail.findIndex(({ position }) => position.revision > revision);
  const next = later < 0 ? tail.length : later;
  const kept = tail.findIndex(({ position }) => position.revision >= (head?.first ?? 0));
  const there = await endOf(kept < 0 ? next : Math.min(kept, next), next, async (index) => {
    const { whole: isMissing } = await look(id, (tail[index] as Append).position);
    return !isMissing;
  });
  if (there < next) return { appends: tail.slice(there), mayCome: false };
  for (let index = next; index < tail.length; index += 1) {
    const append = tail[index] as Append;
    // Who was granted the lock meanwhile, and has written nothing, meets it as a conflict.
    const under = Math.max(head?.token ?? 0, append.under as Token);
    const answer = await offer(id, { ...append, under });
    if (answer.appended) continue;
    const found = answer.why === 'locked' ? revision : (answer.tail.head?.position.revision ?? 0);
    return { appends: tail.slice(index), mayCome: answer.why === 'fenced' || found < append.parent.revision };
  }
  return { appends: [], mayCome: since.revision < seen };
}

/**
 * The end of what is there, of `from` to `to`: one that is there has all before it there with it. 0 where nothing is:
 * then that may also be so of what the log does not keep any more.
 */
async function endOf(from: number, to: number, isThere: (index: number) => Promise<boolean>): Promise<number> {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (await isThere(middle)) low = middle + 1;
    else high = middle;
  }
  return low > from || from === 0 ? low : 0;
}
