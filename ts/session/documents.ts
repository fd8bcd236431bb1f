import { HoldfastError, shortId } from '../errors.ts';
import type { Expiry } from '../store/store.ts';
import type { Image } from '../log/image.ts';
import { outcomeOf } from '../sync/commit.ts';
import { isSame, isSameList } from '../sync/merge.ts';
import type { Base, Edited } from '../sync/merge.ts';
import type { Replica } from '../sync/replica.ts';
import type { Unsettled } from '../sync/unsettled.ts';
import type { Claimed } from './claimed.ts';
import type { SessionContext } from './context.ts';
import { lockToSave, lockWhole, mergedInto, saveLate } from './late-lock.ts';

/** Canonical bytes of each attribute, in order. */
export type Encoded = ReadonlyMap<string, Uint8Array>;

/** A session as somebody was given it, or has saved it: what the next save is compared and merged with. */
export interface Document {
  readonly replica: Replica;
  readonly values: Encoded;
  /** A save of it of which nobody knew yet whether it is stored. */
  doubt?: { readonly unsettled: Unsettled; readonly saved: Document } | undefined;
}

/** When a session expires that was created at this time (wall clock in ms). */
export type LifeOf = (createdAt: number) => Expiry;

/** Whoever has the lock when a rule is told gives it up soon: so many grants in a row are none that come by chance. */
const MOST_GRANTS = 16;

/**
 * Sessions that are handed out and taken back as a whole, with no lock and no state in between: whoever takes one back
 * knows what it was when it was handed out.
 */
export class Documents {
  readonly #context: SessionContext;
  readonly #newest: (id: string, isUse: boolean) => Promise<Replica>;

  constructor(context: SessionContext, newest: (id: string, isUse: boolean) => Promise<Replica>) {
    this.#context = context;
    this.#newest = newest;
  }

  /** As the primary has it now. Without `values` it has expired, was destroyed, or never was. `isUse`: more will follow. */
  async look(id: string, isUse: boolean): Promise<Document> {
    const replica = await this.#newest(id, isUse);
    return { replica, values: encodedOf(replica.image) };
  }

  /**
   * Saves what has become of `from`, merged with what others have saved since. Undefined: it has ended since, and nothing is
   * written. `ERR_CONFLICT`: the same was changed by others.
   */
  async save(given: Document, values: Encoded, life: LifeOf): Promise<Document | undefined> {
    const from = given.doubt === undefined ? given : await this.#settled(given, given.doubt);
    const mine = edited(from.values, values);
    if (mine === undefined) return (await this.touch(from, life)) ? from : undefined;
    const { replica } = from;
    const terms = { access: {}, existing: true, place: undefined };
    return unlessOvertaken(async () => {
      const claimed = await lockToSave(this.#context, replica, terms).catch(absent);
      return claimed && this.#append(claimed, { from, mine, values }, life);
    });
  }

  /** Puts `values` in place of all that is there, or begins the session. Undefined: it was destroyed. */
  put(id: string, values: Encoded, life: LifeOf): Promise<Document | undefined> {
    return this.#putOn(id, values, life, ['live', 'absent', 'expired']);
  }

  /** Begins the session. Undefined: there is one, or was. */
  begin(id: string, values: Encoded, life: LifeOf): Promise<Document | undefined> {
    return this.#putOn(id, values, life, ['absent']);
  }

  #putOn(
    id: string,
    values: Encoded,
    life: LifeOf,
    states: readonly Replica['state'][],
  ): Promise<Document | undefined> {
    return unlessOvertaken(async () => {
      const claimed = await lockWhole(this.#context, id, { access: {}, existing: false, place: undefined });
      const { replica } = claimed;
      if (!states.includes(replica.state)) return void (await claimed.end('keep', undefined));
      const from = { replica, values: encodedOf(replica.image) };
      return this.#append(claimed, { from, mine: edited(from.values, values) ?? AS_IT_WAS, values }, life);
    });
  }

  async #append(claimed: Claimed, { from, mine, values }: Save, life: LifeOf): Promise<Document | undefined> {
    const context = this.#context;
    const { replica: now } = claimed;
    const begins = !now.exists;
    const createdAt = begins ? Math.round(context.line.time.now()) : now.createdAt;
    const base = this.#baseFor(from.values, mine, now.image);
    const { pushed, replica } = await saveLate(context, claimed, {
      tracked: () => mergedInto(context, { before: from.replica, base, mine, remedy: REMEDY }, now),
      terms: {
        last: true,
        create: true,
        tells: context.onSaved !== undefined,
        outage: undefined, // whoever handed it in takes it for stored
        life: { expiry: life(createdAt), ...(begins && { createdAt }) },
      },
      failed: () => {
        const { unsettled } = now;
        from.doubt = unsettled && { unsettled, saved: { replica: from.replica, values } };
      },
    });
    const saved = { replica, values };
    return pushed !== undefined || (await this.touch(saved, life)) ? saved : undefined;
  }

  /** What the next save begins from: as it was given, or as the save before has it. */
  async #settled(given: Document, { unsettled, saved }: NonNullable<Document['doubt']>): Promise<Document> {
    const { id } = given.replica;
    const how = await outcomeOf(this.#context.line, unsettled);
    if (how === 'appended') return saved;
    if (how !== 'unknown') return given;
    const message = `session '${shortId(id)}': nobody can tell any more whether the save before was stored; read it again`;
    throw new HoldfastError('ERR_UNAVAILABLE', message, { session: id, outcome: 'unknown' });
  }

  /** Where both sides have begun a list or the like at once, they have put into the same one. */
  #baseFor(values: Encoded, { changes }: Edited, theirs: Image): Base {
    const { codec } = this.#context.line;
    const bytes = (name: string): Uint8Array | undefined => {
      const [was, mine, other] = [values.get(name), changes.get(name), theirs.value(name)?.bytes];
      if (was !== undefined || mine === undefined || other === undefined) return was;
      const empty = emptyOf(codec.decode(mine, name), codec.decode(other, name));
      return empty === undefined ? undefined : codec.encode(empty, name);
    };
    return { names: [...values.keys()], versions: NO_VERSIONS, bytes };
  }

  /** Tells when it is to expire from now on, and writes nothing else. False: it has ended. */
  async touch({ replica }: Document, life: LifeOf): Promise<boolean> {
    const { store, call, backups } = this.#context.line;
    const { id, createdAt, createdAtTold } = replica;
    backups.checkCurrent();
    let token = Math.max(replica.tokenTold, replica.head.token);
    for (let grants = 0; grants < MOST_GRANTS; grants += 1) {
      const touch = { token, expiry: life(createdAt) };
      const touched = await store.touch(id, touch, call);
      if (touched.touched) {
        await backups.touch(id, touch);
        return true;
      }
      const { head } = touched;
      if (touched.why === 'gone' || head?.state !== 'live') return false;
      if (createdAtTold && head.createdAt !== createdAt) return false;
      token = head.token;
    }
    const message = `session '${shortId(id)}': its lock changes hands all the time, so that its expiry could not be moved; try again`;
    throw new HoldfastError('ERR_UNAVAILABLE', message, { session: id, outcome: 'none' });
  }
}

const REMEDY =
  'let the client ask again, or say by the option `conflicts` of the session store what is to become of both';

interface Save {
  readonly from: Document;
  readonly mine: Edited;
  readonly values: Encoded;
}

const NO_VERSIONS: ReadonlyMap<string, number> = new Map();
const AS_IT_WAS: Edited = { changes: new Map(), names: undefined, versions: undefined };

/** Of an image that is whole. */
function encodedOf(image: Image): Encoded {
  return new Map(image.directory.names.map((name) => [name, image.value(name)!.bytes!]));
}

/** Undefined: all is as it was. */
function edited(base: Encoded, values: Encoded): Edited | undefined {
  const changes = new Map<string, Uint8Array | undefined>();
  for (const [name, bytes] of values) if (!isSame(base.get(name), bytes)) changes.set(name, bytes);
  for (const name of base.keys()) if (!values.has(name)) changes.set(name, undefined);
  const names = [...values.keys()];
  if (changes.size === 0 && isSameList(names, [...base.keys()])) return undefined;
  return { changes, names, versions: undefined };
}

const isPlain = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function emptyOf(mine: unknown, theirs: unknown): unknown {
  if (Array.isArray(mine) && Array.isArray(theirs)) return [];
  if (mine instanceof Map && theirs instanceof Map) return new Map();
  if (mine instanceof Set && theirs instanceof Set) return new Set();
  return isPlain(mine) && isPlain(theirs) ? {} : undefined;
}

function absent(error: unknown): undefined {
  if (!(error instanceof HoldfastError) || error.code !== 'ERR_NOT_FOUND') throw error;
}

const MOST_TRIES = 3;

/** A lock that was lost, or a session that expired, between the lock and the append: nothing was written. */
async function unlessOvertaken<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await run();
    } catch (error) {
      if (tries === MOST_TRIES || !wasOvertaken(error)) throw error;
    }
  }
}

const wasOvertaken = (error: unknown): boolean =>
  error instanceof HoldfastError &&
  ((error.code === 'ERR_FENCED' && error.outcome === 'none') ||
    (error.code === 'ERR_CONFLICT' && error.conflicts === undefined));
