import type { Path } from '../path.ts';
import type { Tracked } from '../sync/compare.ts';
import { explainPush } from '../sync/explain.ts';
import type { AttributePush, PushExplanation } from '../sync/explain.ts';
import type { Line } from '../sync/line.ts';
import type { Replica } from '../sync/replica.ts';
import type { Outlook } from '../tracking/outlook.ts';
import type { Tracker } from '../tracking/tracker.ts';

/** What the next save would send, and why it is as much. */
export interface Explanation extends Omit<PushExplanation, 'attributes'> {
  /** Those that the save would look at, the largest change first. */
  readonly attributes: readonly AttributeExplanation[];
}

export interface AttributeExplanation extends AttributePush {
  readonly name: string;
  /** Written: assigned, changed inside or deleted. Else read, or looked at because the save mode says so. */
  readonly written: boolean;
  /**
   * Where it was written: the first of them, and how many. An array whose elements have moved is one. None where that was
   * not noted, as inside what is in several places: `whyWhole` says so.
   */
  readonly paths: readonly Path[];
  readonly places: number;
  /**
   * How its bytes are found. `portions`: what was written is put into those that are there; `compared`: what was
   * assigned is compared with the value before, and what differs is put in; `whole`: it is encoded whole. `portions`
   * and `compared` may still give way to `whole`.
   */
  readonly way: 'portions' | 'compared' | 'whole';
  /** Why it is encoded whole. */
  readonly whyWhole: string | undefined;
}

const UNSEEN: Outlook = { written: false, paths: [], places: 0, way: 'whole', why: 'the save mode says so' };

const LET_GO = 'its bytes were not kept when it was saved (option `base`)';

/** What the next save of a session would send. `create`: also where it has no attributes. */
export async function explanationOf(
  line: Line,
  replica: Replica,
  tracker: Tracker,
  tracked: Tracked,
  create: boolean,
): Promise<Explanation> {
  const outlooks = new Map(tracked.touched.map((name) => [name, outlookOn(tracker, replica, name)]));
  // Bytes that are read again to be compared are not to stay.
  const from = replica.image.isWhole ? replica : replica.fork();
  const push = await explainPush(line, from, tracked, create);
  const attributes = [...push.attributes].map(([name, attribute]): AttributeExplanation => {
    const { written, paths, places, way, why: whyWhole } = outlooks.get(name) ?? UNSEEN;
    return { name, written, paths, places, way, whyWhole, ...attribute };
  });
  const { kind, bytes, why } = push;
  return { kind, bytes, why, attributes: attributes.sort((a, b) => b.bytes - a.bytes) };
}

function outlookOn(tracker: Tracker, { image }: Replica, name: string): Outlook | undefined {
  const saved = image.value(name);
  const outlook = tracker.outlook(name, saved?.bytes);
  const isLetGo = saved !== undefined && saved.bytes === undefined;
  return outlook !== undefined && isLetGo ? { ...outlook, way: 'whole', why: LET_GO } : outlook;
}
