import type { Clock } from '../clock.ts';
import type { HoldfastError } from '../errors.ts';
import type { Deadline } from './deadline.ts';
import type { RedisLink } from './redis-client.ts';
import { failureOf, isMoving, isUnknownScript, noConnection } from './redis-error.ts';
import type { Script } from './redis-scripts.ts';
import type { Argument, Reply } from './redis-wire.ts';

/** Until what is moving is asked for again. */
const AGAIN_MS = 50;

/** A script, or a command, with all that it is about. */
export interface Command {
  readonly script?: Script | undefined;
  /** The first tells which server of a Cluster has it. */
  readonly keys: readonly [string, ...string[]];
  readonly args: readonly Argument[];
  /** Of one that was begun and not answered: `none` where it changes nothing. */
  readonly outcome: 'none' | 'unknown';
  /** What errors name. */
  readonly where: string;
  readonly session?: string | undefined;
  /** It is about the server of the key, which it does not name. */
  readonly ofServer?: boolean | undefined;
  /** It is what opens the gate. */
  readonly opens?: boolean | undefined;
}

/** Lets calls through when the server has been looked at. */
export interface Gate {
  isOpen(key: string): boolean;
  open(key: string, deadline: Deadline): Promise<void>;
  /** The server of this key as it was looked at last: another after each loss of the connection to it. */
  partOf(key: string): object | undefined;
  /** Until then this session may lack what others bring back; undefined: it lacks nothing. */
  waiting(session: string): Promise<void> | undefined;
  /** The connection, to this one of several servers, is another. */
  shut(owner?: string): void;
}

/** Of `failMs`: it may be back at any moment. */
const LEAST_PART = 0.2;

/**
 * Calls over a client's connection. One that is lost, and not back within `failMs`, fails all that waits for it: what
 * was not sent yet with outcome `none`.
 */
export class RedisConnection {
  readonly #link: RedisLink;
  readonly #clock: Clock;
  readonly #failMs: number;
  readonly #gate: Gate;
  readonly #unwatch: () => void;
  /** Sent and not answered: how each is given up, and how long after the connection was lost. */
  readonly #sent = new Map<() => void, number>();
  /** Not sent. */
  readonly #waiting = new Set<() => void>();
  #lastError: unknown;
  /** Monotonic; undefined: there is one. */
  #lostAt: number | undefined;
  #stopTimers: (() => void)[] = [];

  constructor(link: RedisLink, clock: Clock, failMs: number, gate: Gate) {
    this.#link = link;
    this.#clock = clock;
    this.#failMs = failMs;
    this.#gate = gate;
    this.#unwatch = link.watch({
      lost: (error) => this.#lost(error),
      back: () => this.#back(),
      left: (owner) => gate.shut(owner),
    });
  }

  /** Sent again where another server answered than the one that was looked at: nothing of it happens twice. */
  async run(command: Command, deadline: Deadline): Promise<Reply> {
    const { outcome, where, session, opens } = command;
    const [key] = command.keys;
    for (;;) {
      // All of it holds when it is sent.
      for (let waits = this.#waits(command, deadline); waits !== undefined; waits = this.#waits(command, deadline))
        await waits;
      const part = this.#gate.partOf(key);
      try {
        const reply = await deadline.bound(this.#answer(command, deadline.failMs ?? this.#failMs), outcome);
        if (opens === true || this.#gate.partOf(key) === part) return reply;
      } catch (error) {
        if (!isMoving(error) || deadline.leftMs <= AGAIN_MS) throw failureOf(error, outcome, where, session);
        await new Promise<void>((resolve) => this.#clock.after(AGAIN_MS, resolve, true));
      }
    }
  }

  /** For what it is not sent yet. */
  #waits({ opens, session, keys }: Command, deadline: Deadline): Promise<void> | undefined {
    if (!this.#link.isReady) return deadline.bound(this.#ready(deadline.failMs ?? this.#failMs), 'none');
    if (opens === true) return undefined;
    if (!this.#gate.isOpen(keys[0])) return this.#gate.open(keys[0], deadline);
    const lacking = session === undefined ? undefined : this.#gate.waiting(session);
    return lacking && deadline.bound(lacking, 'none');
  }

  close(): void {
    for (const stop of this.#stopTimers) stop();
    this.#unwatch();
  }

  #answer(command: Command, failMs: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(this.#failure(failMs, command.outcome));
      this.#sent.set(giveUp, failMs);
      this.#ask(command)
        .finally(() => this.#sent.delete(giveUp))
        .then(resolve, reject);
    });
  }

  async #ask({ script, keys, args, ofServer }: Command): Promise<Reply> {
    const [key] = keys;
    if (ofServer === true) return (await this.#link.nodeOf(key)).send(args);
    if (script === undefined) return this.#link.send(args, key);
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.#link.send(['EVALSHA', script.sha, ...rest], key);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return this.#link.send(['EVAL', script.source, ...rest], key); // nothing of it has run
    }
  }

  /** What is asked for when the connection has been lost for a while waits for what is left of that time. */
  #ready(failMs: number): Promise<void> {
    this.#link.wake();
    const now = this.#clock.monotonic();
    const leftMs = Math.max(LEAST_PART * failMs, (this.#lostAt ?? now) + failMs - now);
    return new Promise((resolve, reject) => {
      const go = (): void => {
        this.#waiting.delete(go);
        cancel();
        resolve();
      };
      const cancel = this.#clock.after(leftMs, () => {
        this.#waiting.delete(go);
        reject(this.#failure(failMs, 'none'));
      });
      this.#waiting.add(go);
    });
  }

  #lost(error: unknown): void {
    if (error instanceof Error) this.#lastError = error;
    if (this.#lostAt !== undefined) return;
    this.#lostAt = this.#clock.monotonic();
    for (const [giveUp, failMs] of this.#sent) this.#stopTimers.push(this.#clock.after(failMs, giveUp, true));
  }

  #failure(failMs: number, outcome: 'none' | 'unknown'): HoldfastError {
    return noConnection(this.#link.place, failMs, this.#lastError, outcome);
  }

  #back(): void {
    for (const stop of this.#stopTimers.splice(0)) stop();
    this.#lostAt = undefined;
    this.#lastError = undefined;
    this.#gate.shut();
    for (const go of [...this.#waiting]) go();
  }
}
