import { HoldfastError } from '../errors.ts';
import type { Hold } from '../lock/member-locks.ts';
import type { Line } from '../sync/line.ts';
import { push, pushCopy, pushTombstone } from '../sync/push.ts';
import type { Pushed } from '../sync/push.ts';
import type { Replica } from '../sync/replica.ts';
import { Tracker } from '../tracking/tracker.ts';
import type { SaveMode } from '../tracking/classes.ts';
import { classOf } from './definition.ts';
import type { SessionDefinition } from './definition.ts';
import type { Slots } from './slots.ts';

/** What a save did. */
export interface Saved {
  /** The session's revision afterwards. */
  readonly revision: number;
  /** Attributes that were written or deleted; `kind` tells whether anything was sent. */
  readonly changed: readonly string[];
  /** Bytes appended to the primary, and to each backup. */
  readonly bytes: number;
  /** `snapshot`: the log was compacted by this save. */
  readonly kind: 'delta' | 'snapshot' | 'nothing';
}

/** What a session needs from the repository that opened it. */
export interface SessionParts {
  readonly line: Line;
  readonly definition: SessionDefinition<object, object>;
  readonly saveMode: SaveMode;
  readonly tombstoneTtlMs: number;
  readonly replica: Replica;
  readonly slots: Slots;
  readonly hold: Hold;
  /** Save it even if it has no attributes. */
  readonly create: boolean;
  /** Takes the member lock of another id, for `changeId`. */
  readonly claim: (id: string) => Promise<{ replica: Replica; hold: Hold }>;
  /** Slots that hold what the primary holds, for the next use. */
  readonly onEnd: (replica: Replica, slots: Slots | undefined) => void;
}

/**
 * A session that this process has opened and locked. Read and write `state` like any object; `save` sends what changed.
 * Close it when done (`close` discards what was not saved), or use `SessionRepository.scope`, which does.
 */
export class Session<S extends object, V extends object> {
  readonly #parts: SessionParts;
  readonly #tracker: Tracker;
  /** False when the state was never saved before this session was opened. */
  readonly isNew: boolean;
  #replica: Replica;
  #hold: Hold;
  #queue: Promise<unknown> = Promise.resolve();
  #ended: Promise<void> | undefined;
  /** Closed, or in its last save. */
  #closed = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#replica = parts.replica;
    this.#hold = parts.hold;
    this.isNew = !parts.replica.exists;
    const { slots, saveMode, definition } = parts;
    this.#tracker = new Tracker({ slots, saveMode, classOf: (name) => classOf(definition, name) });
  }

  get id(): string {
    return this.#replica.id;
  }

  /** The state as typed properties. After the session has ended every access throws `ERR_CLOSED`. */
  get state(): S {
    return this.#tracker.state as S;
  }

  /** Of the last save, or 0. */
  get revision(): number {
    return this.#replica.image.position.revision;
  }

  /** Bytes of the whole state as last saved: what saving all of it would send. */
  get byteLength(): number {
    return this.#replica.image.byteLength;
  }

  /** Closed, destroyed, or lost to another holder. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Names of the attributes that the next save will compare, by save mode. */
  tracked(): string[] {
    return this.#tracker.tracked();
  }

  /** Gives several attributes their values; the way to give immutable ones their first. */
  assign(values: V): void {
    Object.assign(this.#tracker.state, values);
  }

  /** Makes `values` the whole state, in their order: other attributes are deleted, immutable ones that have a value stay. */
  replace(values: V): void {
    const { state } = this.#tracker;
    const { definition, slots } = this.#parts;
    const given = values as Record<string, unknown>;
    const stays = (name: string): boolean => classOf(definition, name) === 'immutable' && slots.has(name);
    for (const name of slots.names()) if (!Object.hasOwn(given, name) && !stays(name)) delete state[name];
    for (const name of Object.keys(given)) if (!stays(name)) state[name] = given[name];
    slots.arrange(Object.keys(given));
  }

  /** Sends what changed. On an error nothing was saved; after `ERR_FENCED` or `ERR_CONFLICT` the session has ended. */
  save(): Promise<Saved> {
    return this.#alone(() => this.#push(false));
  }

  /** Saves, and ends the session: one call to the store does both when the lock is to be handed over. */
  async saveAndClose(): Promise<Saved> {
    try {
      return await this.#alone(() => this.#push(true));
    } finally {
      await this.close();
    }
  }

  /** Destroys the session, everywhere and for good, and ends it. */
  delete(): Promise<void> {
    return this.#alone(async () => {
      this.#shut();
      if (this.#replica.exists) await pushTombstone(this.#parts.line, this.#replica, this.#hold.token, this.#parts.tombstoneTtlMs);
      await this.#end(this.#replica.destroyed ? 'released' : 'keep', undefined);
    });
  }

  /**
   * Moves the session to a new id, with what it holds (unsaved changes are saved first), and destroys the old one: against
   * session fixation, after a login. If it fails in between, both ids exist with the same state.
   */
  changeId(newId: string): Promise<void> {
    return this.#alone(async () => {
      if (newId === this.id) throw new HoldfastError('ERR_INVALID', `session '${newId}' has this id already`, { session: newId });
      await this.#push(false);
      if (!this.#replica.exists) throw new HoldfastError('ERR_INVALID', `session '${this.id}' was never saved: save it before changing its id`, { session: this.id });
      const old = { replica: this.#replica, hold: this.#hold };
      await this.#moveTo(await this.#parts.claim(newId));
      try {
        await pushTombstone(this.#parts.line, old.replica, old.hold.token, this.#parts.tombstoneTtlMs);
      } finally {
        this.#parts.onEnd(old.replica, undefined);
        await old.hold.end(old.replica.destroyed ? 'released' : 'keep');
      }
    });
  }

  async #moveTo({ replica, hold }: { replica: Replica; hold: Hold }): Promise<void> {
    try {
      await pushCopy(this.#parts.line, this.#replica, replica, hold.token);
    } catch (error) {
      this.#parts.onEnd(replica, undefined);
      await hold.end('keep');
      throw error;
    }
    this.#replica = replica;
    this.#hold = hold;
    this.#parts.slots.rebase(replica.image);
  }

  /** The saved session expires `ttlMs` from now; undefined: never. A later use counts anew by the repository's `ttlMs`, if it has one. */
  expire(ttlMs: number | undefined): Promise<void> {
    return this.#alone(async () => {
      await this.#parts.line.store.expire(this.id, ttlMs);
      this.#replica.expiresAt = ttlMs === undefined ? Infinity : this.#parts.line.clock.monotonic() + ttlMs;
      await this.#parts.line.backups.expire(this.id, ttlMs);
    });
  }

  /** Ends the session; what was not saved is discarded. Harmless when it has ended. */
  async close(): Promise<void> {
    await this.#queue;
    const clean = !this.#closed && this.#tracker.tracked().length === 0;
    await this.#end('keep', clean ? this.#parts.slots : undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Calls run one after the other. */
  #alone<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      if (this.#closed) throw new HoldfastError('ERR_CLOSED', `session '${this.id}' has been closed; open it again`, { session: this.id });
      return run();
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** The differ runs at once; what is written while the append is under way is left for the next save. */
  async #push(last: boolean): Promise<Saved> {
    const { line, slots } = this.#parts;
    const touched = this.#tracker.capture();
    const release = last && this.#hold.releaseNow();
    const tracked = { touched, names: slots.savedNames(touched), value: (name: string) => slots.get(name) };
    const pushing = push(line, this.#replica, tracked, { token: this.#hold.token, release, renew: !this.#hold.overdue(), create: this.#parts.create });
    slots.settle(touched);
    if (last) this.#shut();
    let pushed: Pushed | undefined;
    try {
      pushed = await pushing;
    } catch (error) {
      slots.unsettle();
      if (isOver(error)) await this.#end(error.code === 'ERR_CONFLICT' ? 'keep' : 'lost', undefined);
      throw error;
    }
    this.#tracker.settle();
    if (last) await this.#end(release && pushed !== undefined ? 'released' : 'keep', slots);
    if (pushed === undefined) return { revision: this.revision, changed: [], bytes: 0, kind: 'nothing' };
    return { revision: pushed.revision, changed: pushed.changed, bytes: pushed.recordBytes, kind: pushed.kind };
  }

  #shut(): void {
    this.#closed = true;
    this.#parts.slots.unload(this.#tracker.detach());
    this.#tracker.close();
  }

  #end(how: 'keep' | 'released' | 'lost', slots: Slots | undefined): Promise<void> {
    this.#ended ??= (async () => {
      this.#shut();
      this.#parts.onEnd(this.#replica, slots);
      await this.#hold.end(how);
    })();
    return this.#ended;
  }
}

/** The primary has moved on without this session, or has outdated it. */
const isOver = (error: unknown): error is HoldfastError => error instanceof HoldfastError && ['ERR_FENCED', 'ERR_CONFLICT', 'ERR_CLOSED'].includes(error.code);
