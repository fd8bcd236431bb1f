import { HoldfastError, shortId } from '../errors.ts';
import type { Value } from '../log/image.ts';
import { changedOf } from '../sync/compare.ts';
import type { Tracked } from '../sync/compare.ts';
import type { Differencing } from '../sync/differencing.ts';
import { isSame, isSameList, merge } from '../sync/merge.ts';
import type { Base, Edited } from '../sync/merge.ts';
import type { Pushed } from '../sync/push.ts';
import type { Replica } from '../sync/replica.ts';
import type { Unsettled } from '../sync/unsettled.ts';
import type { Tracker } from '../tracking/tracker.ts';
import type { Claimed } from './claimed.ts';
import type { SessionContext } from './context.ts';
import { specOf } from './definition.ts';
import type { Looked } from './looks.ts';
import type { Access } from './options.ts';
import { conflictOf, giveBack, lockToSave, mergeRules, mergedInto, saveLate } from './late-lock.ts';
import type { SaveTerms } from './saving.ts';
import type { Slots } from './slots.ts';

/** A save that went out, and the copy that is to have it. */
interface Put {
  readonly mine: Edited;
  readonly replica: Replica;
}

const REMEDY = 'run the use again (`retry`), or say by `merge` in the definition what is to become of both';

const UNCHANGED: Edited = { changes: new Map(), names: undefined, versions: undefined };

/**
 * What a session does that has no lock: to save it takes the lock for the append alone, and merges with what is there by
 * then.
 */
export class Unlocked {
  readonly #context: SessionContext;
  readonly #looked: Looked;
  readonly #slots: Slots;
  readonly #tracker: Tracker;
  readonly #access: Access;
  /**
   * Of attributes that were written again while they were saved, and that the save has merged with others': what was
   * saved of them, undefined where they were absent. What is written now goes on from that, not from what is there.
   */
  #bases: ReadonlyMap<string, Uint8Array | undefined> = new Map();
  #stored: Put | undefined;
  #doubted: Put | undefined;
  /** A save of this session of which nobody knows yet whether it is stored. */
  unsettled: Unsettled | undefined;
  /** Something of this use is stored, or may be: the use cannot be run again as if it had not been. */
  hasSaved = false;

  constructor(context: SessionContext, looked: Looked, slots: Slots, tracker: Tracker, access: Access) {
    this.#context = context;
    this.#looked = looked;
    this.#slots = slots;
    this.#tracker = tracker;
    this.#access = access;
  }

  /** `ERR_INVALID` where the session was opened to read only. */
  checkWritable(what: string): void {
    if (this.#access.mode !== 'read') return;
    const message = `${what}: session '${shortId(this.#looked.replica.id)}' was opened with mode 'read'; open it without`;
    throw new HoldfastError('ERR_INVALID', message, { session: this.#looked.replica.id });
  }

  /**
   * As `push`, of what was touched until now. Undefined also where all of it was merged into what is there already.
   * `ERR_CONFLICT`: nothing was sent.
   */
  async push(tracked: Tracked, terms: SaveTerms): Promise<Pushed | undefined> {
    if (this.#access.mode === 'read') return undefined;
    const mine = this.#edited(tracked);
    const begins = terms.create && !this.#looked.replica.exists;
    return mine === undefined && !begins
      ? undefined
      : this.#send(mine ?? UNCHANGED, { ...terms, last: true, create: begins });
  }

  get #base(): Base {
    const { directory } = this.#looked.replica.image;
    return { names: directory.names, versions: directory.versions, bytes: (name) => this.#baseOf(name) };
  }

  #baseOf(name: string): Uint8Array | undefined {
    return this.#bases.has(name) ? this.#bases.get(name) : this.#looked.replica.image.value(name)?.bytes;
  }

  /** Undefined: all is as it was. */
  #edited(tracked: Tracked): Edited | undefined {
    const { names, versions, touched } = tracked;
    const base = this.#base;
    const present = names && new Set(names);
    const isThere = (name: string): boolean => present?.has(name) ?? base.bytes(name) !== undefined;
    const changes = new Map<string, Uint8Array | undefined>();
    const baseOf = (name: string): Pick<Value, 'bytes'> | undefined => {
      const bytes = base.bytes(name);
      return bytes && { bytes };
    };
    for (const { name, target } of changedOf(this.#context.line, tracked, touched.filter(isThere), baseOf)) {
      changes.set(name, target);
      tracked.encoded?.(name, target);
    }
    if (names !== undefined)
      for (const name of base.names) if (!isThere(name) && base.bytes(name) !== undefined) changes.set(name, undefined);
    const isSameOrder = names === undefined || isSameList(names, base.names);
    return changes.size === 0 && isSameOrder ? undefined : { changes, names, versions };
  }

  async #send(mine: Edited, terms: SaveTerms): Promise<Pushed | undefined> {
    const context = this.#context;
    this.unsettled = this.#doubted = undefined;
    const claimed = await this.#claim(!terms.create);
    const { replica: now } = claimed;
    const differencing = (name: string): Differencing | undefined => specOf(context.definition, name)?.differencing;
    const made = { before: this.#looked.replica, base: this.#base, mine, remedy: REMEDY };
    const { pushed, replica } = await saveLate(context, claimed, {
      tracked: () => ({ ...mergedInto(context, made, now), differencing }),
      terms,
      failed: () => this.#doubt(mine, now),
    });
    this.#stored = { mine, replica };
    this.hasSaved ||= pushed !== undefined;
    return pushed;
  }

  #doubt(mine: Edited, replica: Replica): void {
    if (replica.unsettled === undefined) return;
    this.unsettled = replica.unsettled;
    this.#doubted = { mine, replica };
    this.hasSaved = true;
  }

  /** For what the session does that is no save: the lock, with the state as it is by now, to be given back. */
  lock(): Promise<Claimed> {
    this.hasSaved = true;
    return this.#claim(true);
  }

  #claim(existing: boolean): Promise<Claimed> {
    const { replica, place } = this.#looked;
    return lockToSave(this.#context, replica, { access: this.#access, existing, place });
  }

  /** What `push` would send of `tracked`, as far as nobody else saves before. `ERR_CONFLICT`: nothing. */
  outlook(tracked: Tracked): Tracked {
    if (this.#bases.size === 0) return tracked;
    const context = this.#context;
    const { replica } = this.#looked;
    const mine = this.#edited(tracked) ?? UNCHANGED;
    const merged = merge(context.line, mergeRules(context), this.#base, mine, replica.image);
    if ('conflicts' in merged) throw conflictOf(replica, merged.conflicts, REMEDY);
    const touched = [...new Set([...tracked.touched, ...merged.tracked.touched])];
    return { ...merged.tracked, touched, splice: (name, base) => merged.tracked.splice?.(name, base) ?? base };
  }

  /** After `push`: the session shows what it has become, with what others have saved; `last`: nobody sees it any more. */
  follow(last: boolean): void {
    const stored = this.#stored;
    this.#stored = undefined;
    if (stored !== undefined && last) this.#looked.replica = stored.replica;
    else if (stored !== undefined) this.#follow(stored);
  }

  /** The save that was in doubt is stored. */
  settled(): void {
    const doubted = this.#doubted;
    this.#doubted = undefined;
    if (doubted?.replica.exists === true) this.#follow({ ...doubted, replica: doubted.replica.fork() });
  }

  /** The session goes on as `to`, which has its state. */
  async moveTo(to: Claimed): Promise<void> {
    this.#follow({ mine: UNCHANGED, replica: to.replica.fork() });
    await giveBack(this.#context, to, 'keep', true);
  }

  /** What was written since a save began stays, to be saved on top of what there is by now. */
  #follow({ mine, replica }: Put): void {
    const { image } = replica;
    const slots = this.#slots;
    const bases = new Map<string, Uint8Array | undefined>();
    const stay = new Set<string>();
    for (const name of new Set([...image.directory.names, ...slots.names(), ...this.#base.names])) {
      const was = mine.changes.has(name) ? mine.changes.get(name) : this.#baseOf(name);
      const now = image.value(name)?.bytes;
      if (isSame(was, now)) {
        stay.add(name);
        if (was !== undefined && now !== undefined) slots.owner(name).moved(was, now);
      } else if (this.#tracker.isWritten(name) && !this.#is(name, was)) {
        stay.add(name);
        bases.set(name, was);
      } else this.#tracker.renew(name, replica.id);
    }
    slots.follow(image, stay);
    this.#bases = bases;
    this.#looked.replica = replica;
  }

  /** Whether the attribute is here as these bytes say. */
  #is(name: string, bytes: Uint8Array | undefined): boolean {
    const live = this.#slots.live(name);
    if (live === undefined || bytes === undefined) return live === bytes;
    try {
      const { ids } = this.#slots.owner(name); // looked at alone: what is not saved keeps no numbers
      return isSame(this.#context.line.codec.look(live.value, name, { ids }), bytes);
    } catch {
      return false; // the next save says what is wrong with it
    }
  }
}
