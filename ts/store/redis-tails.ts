import type { Clock } from '../clock.ts';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import type { Token } from '../token.ts';
import type { Append, Appended, Tail } from './store.ts';

/** Replication that lags by more than this is not covered. */
const KEPT_MS = 10_000;
/** Of all records that are kept; those of the sessions that were saved longest ago go first. */
const MOST_BYTES = 8 << 20;
/** For so long another writer may bring what ours follow. */
const WAIT_MS = 2000;
const AGAIN_MS = 25;

interface Kept {
  readonly append: Append;
  readonly at: number;
}

/** How what was lost is brought back: as any writer would. */
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
  /** In the order in which they were saved last; each in the order of its revisions, others' records left out. */
  readonly #tails = new Map<string, Kept[]>();
  readonly #waiting = new Map<string, Promise<void>>();
  #bytes = 0;

  constructor(clock: Clock, onLost: (id: string, position: Position) => void) {
    this.#clock = clock;
    this.#onLost = onLost;
  }

  /** It was acknowledged, under `token`; nobody else has its bytes. */
  note(id: string, append: Append, token: Token): void {
    const tail = this.#tails.get(id) ?? [];
    const { revision, nonce } = append.position;
    while ((tail.at(-1)?.append.position.revision ?? 0) >= revision) {
      if (tail.at(-1)?.append.position.nonce === nonce) return; // offered again
      this.#bytes -= (tail.pop() as Kept).append.bytes.length; // the session was put back since
    }
    // The lock is left to whoever has it then.
    tail.push({ append: { ...append, under: token, lock: 'leave' }, at: this.#clock.monotonic() });
    this.#bytes += append.bytes.length;
    this.#tails.delete(id);
    this.#tails.set(id, tail); // the newest
    this.#prune(tail);
  }

  /** Another state takes its place. */
  forget(id: string): void {
    for (const { append } of this.#tails.get(id) ?? []) this.#bytes -= append.bytes.length;
    this.#tails.delete(id);
  }

  /** Until then the session may lack what others bring back; undefined: nobody is waited for. */
  waiting(id: string): Promise<void> | undefined {
    return this.#waiting.get(id);
  }

  /** Brings back what a server lacks. Resolves when all was looked at; see `waiting` for what goes on then. */
  async rescue(rescue: Rescue): Promise<void> {
    const until = this.#clock.monotonic() + WAIT_MS;
    const one = async (id: string): Promise<void> => {
      if (await this.#attempt(id, rescue, until)) return;
      const waiting = this.#repeat(id, rescue, until).finally(() => this.#waiting.delete(id));
      this.#waiting.set(id, waiting);
    };
    await Promise.all([...this.#tails.keys()].map(one));
  }

  async #repeat(id: string, rescue: Rescue, until: number): Promise<void> {
    do await new Promise<void>((resolve) => this.#clock.after(AGAIN_MS, resolve, true));
    while (!(await this.#attempt(id, rescue, until)));
  }

  /** False: it is to be tried again. */
  async #attempt(id: string, rescue: Rescue, until: number): Promise<boolean> {
    const tail = this.#tails.get(id)?.map(({ append }) => append) ?? [];
    // What fails now, by a full memory or a connection that is lost again, is tried once more.
    const lacked = await bringBack(id, tail, rescue).catch((): Lacked => ({ appends: tail, mayCome: true }));
    if (lacked.appends.length === 0) return true;
    if (lacked.mayCome && this.#clock.monotonic() < until) return false;
    this.forget(id);
    for (const { position } of lacked.appends) this.#onLost(id, position);
    return true;
  }

  /** `newest`: the tail that has grown. */
  #prune(newest: Kept[]): void {
    const oldest = this.#clock.monotonic() - KEPT_MS;
    while ((newest[0] as Kept).at < oldest) this.#drop(newest);
    for (const [id, tail] of this.#tails) {
      while (tail.length > 0 && (this.#bytes > MOST_BYTES || (tail.at(-1) as Kept).at < oldest)) this.#drop(tail);
      if (tail.length > 0) break;
      this.#tails.delete(id);
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

/** What of a tail is not there in the end. */
async function bringBack(id: string, tail: readonly Append[], { offer, look }: Rescue): Promise<Lacked> {
  const last = tail.at(-1);
  if (last === undefined) return NONE;
  const { head, whole } = await look(id, last.position);
  if (!whole || head?.state === 'expired') return NONE;
  const { revision } = head?.position ?? ORIGIN;
  const later = tail.findIndex(({ position }) => position.revision > revision);
  const next = later < 0 ? tail.length : later;
  // Of those that should be there the newest tells: what it follows is there with it.
  let there = next;
  while (there > 0 && (await look(id, (tail[there - 1] as Append).position)).whole) there -= 1;
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
  return NONE;
}
