import type { Path } from '../path.ts';
import type { AttributePush, PushExplanation } from '../sync/explain.ts';
import type { Outlook } from '../tracking/outlook.ts';

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

export function explanationOf(push: PushExplanation, outlook: (name: string) => Outlook | undefined): Explanation {
  const attributes = [...push.attributes].map(([name, attribute]): AttributeExplanation => {
    const { written, paths, places, way, why: whyWhole } = outlook(name) ?? UNSEEN;
    return { name, written, paths, places, way, whyWhole, ...attribute };
  });
  const { kind, bytes, why } = push;
  return { kind, bytes, why, attributes: attributes.sort((a, b) => b.bytes - a.bytes) };
}
