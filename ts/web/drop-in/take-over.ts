import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { within } from '../../deadline.ts';
import { HoldfastError } from '../../errors.ts';
import type { LegacySession, LegacySessions } from './legacy.ts';

/** Ids that the legacy store does not have, as far as they are remembered. */
const MOST_UNKNOWN = 10_000;

/** Begins the session here, unless there is one already, or was. */
type Begin = (found: LegacySession) => Promise<unknown>;

/** Asks the legacy store once of each id, and moves what it finds. */
export class TakeOver {
  readonly #legacy: LegacySessions;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #unknown = new Set<string>();
  readonly #underWay = new Map<string, Promise<void>>();
  #writable: Promise<void> | undefined;

  constructor(legacy: LegacySessions, clock: Clock, timeoutMs: number) {
    this.#legacy = legacy;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves when the session, if there was one, is here and nowhere else. */
  async move(sid: string, begin: Begin): Promise<void> {
    if (this.#unknown.has(sid)) return;
    let moving = this.#underWay.get(sid);
    if (moving === undefined) {
      moving = this.#move(sid, begin).finally(() => this.#underWay.delete(sid));
      this.#underWay.set(sid, moving);
    }
    return moving;
  }

  async #move(sid: string, begin: Begin): Promise<void> {
    await this.#checkWritable();
    const found = await this.#bounded(() => this.#legacy.find(sid));
    if (found === undefined || (found.leftMs !== undefined && found.leftMs <= 0)) return this.#remember(sid);
    await begin(found);
    await this.delete(sid);
  }

  async delete(sid: string): Promise<void> {
    await this.#bounded(() => this.#legacy.delete(sid));
  }

  #bounded<T>(call: () => Promise<T>): Promise<T> {
    return within(this.#clock, this.#timeoutMs, 'the legacy store', async () => call());
  }

  #remember(sid: string): void {
    const [oldest] = this.#unknown;
    if (this.#unknown.size >= MOST_UNKNOWN && oldest !== undefined) this.#unknown.delete(oldest);
    this.#unknown.add(sid);
  }

  /** Before anything is taken over: what stays there would come back when it has ended here. */
  #checkWritable(): Promise<void> {
    this.#writable ??= this.delete(`holdfast-${randomUUID()}`).catch((cause: unknown) => {
      this.#writable = undefined;
      throw refused(cause);
    });
    return this.#writable;
  }
}

/** A server that cannot be reached says so in an error of the system, or not at all. */
function refused(cause: unknown): HoldfastError {
  const { code } = (cause ?? {}) as { code?: unknown };
  if (cause instanceof HoldfastError || (typeof code === 'string' && /^E[A-Z]+$/.test(code)))
    return new HoldfastError('ERR_UNAVAILABLE', 'the legacy store cannot be reached: try again', {
      cause,
      outcome: 'none',
    });
  const message =
    'the legacy store cannot be written to, and so is refused (see `cause`): what is taken over must be deleted there, or it would come back; connect to its primary, as a user who may delete';
  return new HoldfastError('ERR_INVALID', message, { cause });
}
