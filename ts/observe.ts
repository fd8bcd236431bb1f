import { channel } from 'node:diagnostics_channel';
import type { Channel } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import type { Clock } from './clock.ts';
import { HoldfastError, shortId } from './errors.ts';
import type { ErrorCode } from './errors.ts';
import type { Path } from './path.ts';

/**
 * Where an instance of a session lies: the primary, or the backup of this number, from 0, in the repository's
 * `backups`.
 */
export type Place = 'primary' | number;

interface Happening<T extends string> {
  readonly type: T;
  /** Wall clock of this process, in ms. */
  readonly at: number;
}

interface OfSession<T extends string> extends Happening<T> {
  /** The first 8 characters of the session's id, and '…' when there are more. */
  readonly id: string;
}

/** The store gave this process a session's lock. */
export interface GrantEvent extends OfSession<'grant'> {
  /** From the first request for it until the grant. */
  readonly waitMs: number;
  /** Another member had it last; where this process has nothing of the session any more, any who has written it. */
  readonly handOver: boolean;
}

/** A use still waits for the lock, longer than is usual. */
export interface WaitEvent extends OfSession<'wait'> {
  readonly waitMs: number;
}

/** Another asks for the lock that this process keeps. */
export interface RecallEvent extends OfSession<'recall'> {
  /** A use is going on: the lock is handed over when it ends. */
  readonly busy: boolean;
}

/**
 * The store has given the lock to another under a newer token, before this process gave it back: a save under it is
 * refused.
 */
export type LockLostEvent = OfSession<'lock-lost'>;

/** A record went out, and was acknowledged. */
export interface SentEvent extends OfSession<'sent'> {
  readonly place: Place;
  readonly kind: 'delta' | 'snapshot' | 'end';
  readonly revision: number;
  /** Of the record, as sent. */
  readonly bytes: number;
}

/** A save found the state moved on. */
export interface ConflictEvent extends OfSession<'conflict'> {
  /** The revision that the save was made from. */
  readonly revision: number;
  /** What an optimistic save could not merge; empty where the primary has refused a save under the lock. */
  readonly paths: readonly Path[];
  /**
   * It had been acknowledged, by a primary that came back without it, or saved here while the primary did not answer:
   * another wrote first, or the session is gone.
   */
  readonly lost?: boolean | undefined;
}

/** A backup lacks records of a session from now on; see `backups.behind()`. */
export interface BackupLagEvent extends OfSession<'backup-lag'> {
  readonly backup: number;
}

/** A backup could not be fed. It catches up with the session's next save, or by `backups.catchUp(id)`. */
export interface BackupErrorEvent extends OfSession<'backup-error'> {
  readonly backup: number;
  /** Undefined: an error that is not Holdfast's. */
  readonly code: ErrorCode | undefined;
  readonly message: string;
  /** The backup was promoted: it is another world's primary now. */
  readonly fenced: boolean;
}

/**
 * A session could not be saved in its turn (`autosave`): told once until that fails otherwise, or goes well. Its user
 * learns of it from its own save, or from the session having ended.
 */
export interface AutosaveErrorEvent extends OfSession<'autosave-error'> {
  /** Undefined: an error that is not Holdfast's. */
  readonly code: ErrorCode | undefined;
  readonly message: string;
}

/** A backup that was behind has all records of the session again. */
export interface BackupCaughtUpEvent extends OfSession<'backup-caught-up'> {
  readonly backup: number;
  /** For so long it was behind. */
  readonly behindMs: number;
}

/** What was read back is damaged. */
export interface DamageEvent extends OfSession<'damage'> {
  readonly place: Place;
  /** Of the record at fault; undefined: it cannot be told. */
  readonly revision: number | undefined;
  readonly message: string;
}

/** A damaged instance was replaced by a good one. */
export interface RepairedEvent extends OfSession<'repaired'> {
  readonly place: Place;
  readonly from: Place;
  readonly revision: number;
}

/** A use found the session expired. */
export type ExpiredEvent = OfSession<'expired'>;

/** This process's wall clock and its monotonic one part, or agree again. */
export interface ClockJumpEvent extends Happening<'clock-jump'> {
  /** By how much the wall clock moved, in ms; 0: it is trusted again. */
  readonly jumpMs: number;
}

/** Which implementation was chosen. */
export interface EngineEvent extends Happening<'engine'> {
  readonly engine: 'native' | 'js';
  /** `option`: it was asked for, also by `HOLDFAST_ENGINE`; `found`: the native one is there; `missing`: it is not. */
  readonly why: 'option' | 'found' | 'missing';
}

/** Whether a save was stored is not known: uses of this session in this process wait until it is. */
export interface UnsettledEvent extends OfSession<'unsettled'> {
  readonly revision: number;
  /** It is not stored, as far as is known: uses of this session in this process go on from it. */
  readonly local?: boolean | undefined;
}

/** What became of an unsettled save is known, or never will be. */
export interface SettledEvent extends OfSession<'settled'> {
  readonly revision: number;
  readonly outcome: 'stored' | 'none' | 'unknown';
  /** Since it became unsettled. */
  readonly tookMs: number;
}

/** A save is stored in a primary whose place a promoted backup has taken, and nowhere else. */
export interface SupersededEvent extends OfSession<'superseded'> {
  readonly revision: number;
}

/**
 * An open session was dropped without having been closed: what was not saved is lost, and its lock, if it had it, was
 * kept until now.
 */
export interface UnclosedEvent extends OfSession<'unclosed'> {
  /** The line of code; undefined for the first of a repository, from which on this is noted. */
  readonly openedAt: string | undefined;
}

/**
 * What happens in a repository. Times are in ms, sizes in bytes. No event carries a value, or more of an id than 8
 * characters.
 */
export type HoldfastEvent =
  | GrantEvent
  | WaitEvent
  | RecallEvent
  | LockLostEvent
  | SentEvent
  | ConflictEvent
  | BackupLagEvent
  | BackupErrorEvent
  | BackupCaughtUpEvent
  | DamageEvent
  | RepairedEvent
  | ExpiredEvent
  | ClockJumpEvent
  | EngineEvent
  | UnsettledEvent
  | SettledEvent
  | SupersededEvent
  | UnclosedEvent
  | AutosaveErrorEvent;

export type EventType = HoldfastEvent['type'];
type EventOf<T extends EventType> = Extract<HoldfastEvent, { readonly type: T }>;

/** An event as the place where it happens tells it: its id whole, its time still to be noted. */
export type Fields<T extends EventType> = Omit<EventOf<T>, 'type' | 'at'>;

/** What it returns is not waited for. */
export type Listener = (event: HoldfastEvent) => unknown;

interface Registration {
  readonly listener: Listener;
  warned: boolean;
}

/** Node forgets a channel that nobody holds. */
const channels = new Map<EventType, Channel>();

function channelOf(type: EventType): Channel {
  let found = channels.get(type);
  if (found === undefined) channels.set(type, (found = channel(`holdfast:${type}`)));
  return found;
}

/**
 * The one channel of events of a repository. Each listener sees all events in the order in which they happen, within
 * the call that they happen in, so it should be quick. It cannot fail that call: a listener that throws, or whose
 * promise rejects, is called on, and makes one warning of the process.
 *
 * Each event is also published on `node:diagnostics_channel` as `holdfast:` and its type (by all repositories of the
 * process). There Node's own rule holds: a subscriber that throws is an uncaught exception.
 */
export class Observers {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #registrations = new Set<Registration>();
  /** Events that listeners caused while one was being delivered. */
  readonly #pending: HoldfastEvent[] = [];
  #delivering = false;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /**
   * Calls `listener` with each event from now on; returns a function that ends it. `ERR_INVALID` for what is no
   * function.
   */
  observe(listener: Listener): () => void {
    if (typeof listener !== 'function')
      throw new HoldfastError('ERR_INVALID', 'observe takes a function, which is called with each event');
    const registration: Registration = { listener, warned: false };
    this.#registrations.add(registration);
    return () => void this.#registrations.delete(registration);
  }

  /** `describe` is called only when somebody listens. It gives the id whole: it is shortened here. */
  emit<T extends EventType>(type: T, describe: () => Fields<T>): void {
    if (this.#registrations.size === 0 && !channelOf(type).hasSubscribers) return;
    const fields: { readonly id?: string } = describe();
    const event = {
      type,
      at: this.#clock.now(),
      ...fields,
      ...(fields.id !== undefined && { id: shortId(fields.id) }),
    };
    this.#pending.push(Object.freeze(event) as unknown as HoldfastEvent);
    if (!this.#delivering) this.#deliver();
  }

  #deliver(): void {
    this.#delivering = true;
    try {
      for (let event = this.#pending.shift(); event !== undefined; event = this.#pending.shift()) {
        for (const registration of [...this.#registrations])
          if (this.#registrations.has(registration)) tell(registration, event);
        channelOf(event.type).publish(event);
      }
    } finally {
      this.#delivering = false;
    }
  }
}

function tell(registration: Registration, event: HoldfastEvent): void {
  try {
    const result = registration.listener(event);
    if (typeof result === 'object' && result !== null)
      void Promise.resolve(result).catch((error: unknown) => warn(registration, event, error));
  } catch (error) {
    warn(registration, event, error);
  }
}

function warn(registration: Registration, { type }: HoldfastEvent, error: unknown): void {
  if (registration.warned) return;
  registration.warned = true;
  process.emitWarning(
    `a listener of events failed at '${type}': ${textOf(error)}; it is called on, and its further failures are not reported`,
    'HoldfastWarning',
  );
}

/** Of what was thrown; never throws, whatever that is. */
export function textOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : inspect(error, { depth: 0 });
  } catch {
    return 'with something that cannot be shown';
  }
}
