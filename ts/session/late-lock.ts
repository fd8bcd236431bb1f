import { ABSENT } from '../conflict.ts';
import type { Conflict } from '../conflict.ts';
import { HoldfastError, shortId } from '../errors.ts';
import type { EndOfHold } from '../lock/hold.ts';
import { showPath } from '../path.ts';
import { makeWhole } from '../sync/base.ts';
import type { Tracked } from '../sync/compare.ts';
import { merge } from '../sync/merge.ts';
import type { Base, Edited, MergeRules } from '../sync/merge.ts';
import type { Pushed } from '../sync/push.ts';
import type { Replica } from '../sync/replica.ts';
import type { Claimed } from './claimed.ts';
import type { SessionContext } from './context.ts';
import { decoded, defaultOf, isNewer } from './decoded.ts';
import { specOf } from './definition.ts';
import { endAfter, explained } from './endings.ts';
import type { Access } from './options.ts';
import { isReleased, saveUnder } from './saving.ts';
import type { SaveTerms } from './saving.ts';
import { Slots } from './slots.ts';

export interface LateLock {
  readonly access: Access;
  /** Only a living session is locked. */
  readonly existing: boolean;
  readonly place: string | undefined;
}

/** The lock, for a save of what began with `before` and without one. `ERR_NOT_FOUND` where that life has ended. */
export function lockToSave(context: SessionContext, before: Replica, terms: LateLock): Promise<Claimed> {
  return lockWhole(context, before.id, terms, (now) => checkLife(before, now, terms.existing));
}

/** The lock, with all bytes of what is there, which to merge takes; given back where `check` throws. */
export async function lockWhole(
  context: SessionContext,
  id: string,
  { access, existing, place }: LateLock,
  check?: (now: Replica) => void,
): Promise<Claimed> {
  const claimed = await context.lock(id, access, existing, place);
  try {
    await makeWhole(context.line, claimed.replica);
    check?.(claimed.replica);
    return claimed;
  } catch (error) {
    await claimed.end('keep', undefined);
    throw error;
  }
}

/** What began anew under the id is another session than this one. */
function checkLife(before: Replica, now: Replica, existing: boolean): void {
  const isAnother = before.createdAtTold && now.createdAtTold && before.createdAt !== now.createdAt;
  if (now.exists ? !isAnother || !before.exists : now.state !== 'ended' && !existing) return;
  const what = now.exists ? 'has ended, and another has begun under its id' : 'is not there any more';
  throw new HoldfastError('ERR_NOT_FOUND', `session '${shortId(now.id)}' ${what}: nothing was written`, {
    session: now.id,
    ...(now.state === 'ended' && { endedAt: now.head.time }),
  });
}

interface Late {
  /** What is to be saved on what is there: asked for under the lock. */
  readonly tracked: () => Tracked;
  readonly terms: SaveTerms;
  /** The save has failed; the replica says whether its outcome is unknown. */
  readonly failed?: (() => void) | undefined;
}

/** One save under a lock that was taken for it, and the copy that has it. Gives the lock back. */
export async function saveLate(
  context: SessionContext,
  claimed: Claimed,
  { tracked, terms, failed }: Late,
): Promise<{ readonly pushed: Pushed | undefined; readonly replica: Replica }> {
  const { replica, hold } = claimed;
  let how: EndOfHold = 'keep';
  let isSound = true;
  try {
    const target = tracked();
    isSound = false;
    const { pushing, release } = saveUnder(context.line, claimed, target, terms);
    const pushed = await pushing;
    isSound = true;
    if (pushed?.wanted === true) hold.wanted();
    if (isReleased(release, pushed)) how = 'released';
    return { pushed, replica: replica.fork() };
  } catch (error) {
    how = endAfter(error);
    failed?.();
    throw explained(error, hold);
  } finally {
    await giveBack(context, claimed, how, isSound);
  }
}

/** `isSound`: this process's copy is what the primary has. */
export async function giveBack(
  { line, definition, keptBase }: SessionContext,
  claimed: Claimed,
  how: EndOfHold,
  isSound: boolean,
): Promise<void> {
  const slots = isSound ? new Slots(claimed.replica.image, line.codec, definition, { keptBase }) : undefined;
  await claimed.end(how, slots);
}

/** What a use has made of what it began from. */
export interface Made {
  readonly before: Replica;
  readonly base: Base;
  readonly mine: Edited;
  /** What a conflict's message says is to be done. */
  readonly remedy: string;
}

/** What is to be saved on `now`. `ERR_CONFLICT`, and its event: others have changed the same. */
export function mergedInto(context: SessionContext, { before, base, mine, remedy }: Made, now: Replica): Tracked {
  const { line } = context;
  const merged = merge(line, mergeRules(context), base, mine, now.image);
  if ('tracked' in merged) return merged.tracked;
  const { revision } = before.head;
  const paths = merged.conflicts.map(({ path }) => path);
  line.observers.emit('conflict', () => ({ id: now.id, revision, paths }));
  throw conflictOf(now, merged.conflicts, remedy);
}

export function mergeRules({ definition, line: { codec } }: SessionContext): MergeRules {
  return {
    of: (name) => {
      const spec = specOf(definition, name);
      if (spec === undefined) return definition.drop.has(name) ? 'dropped' : 'fail';
      return spec.class === 'immutable' ? 'given' : spec.merge;
    },
    frozen: (name) => specOf(definition, name)?.frozen,
    value: (name, bytes, version) => {
      if (bytes !== undefined) return decoded(codec, definition, name, bytes, version).value;
      return specOf(definition, name)?.initial === undefined ? ABSENT : defaultOf(codec, definition, name);
    },
    isUnknown: (name, version) => isNewer(definition, name, version),
  };
}

const MOST_NAMED = 3;

/** Of what is on `now` and what was to be saved there; `remedy`: what is to be done. */
export function conflictOf({ id, image }: Replica, conflicts: readonly Conflict[], remedy: string): HoldfastError {
  const { revision } = image.position;
  const paths = conflicts.map(({ path }) => path);
  const named = paths.slice(0, MOST_NAMED).map(showPath).join(', ');
  const more = paths.length > MOST_NAMED ? ` and ${paths.length - MOST_NAMED} more` : '';
  const message = `session '${shortId(id)}': others have saved ${named}${more} too since the use began (\`conflicts\` has the values); nothing was written: ${remedy}`;
  return new HoldfastError('ERR_CONFLICT', message, { session: id, revision, outcome: 'none', paths, conflicts });
}
