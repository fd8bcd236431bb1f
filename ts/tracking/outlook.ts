import type { Path, PathStep } from '../path.ts';
import type { Attribute } from './attribute.ts';
import { ABSENT, ASSIGNED, type ChangeSet, type Notes } from './change-set.ts';
import { isObject } from './kinds.ts';
import { stepsTo, type Node } from './nodes.ts';

/** What was noted of an attribute, and what a save would make of it. */
export interface Outlook {
  readonly written: boolean;
  /** Where it was written, from the attribute's name on: the first `MOST_PATHS` of them. */
  readonly paths: readonly Path[];
  /** Of such places. */
  readonly places: number;
  /** How its bytes are found: see `Explanation`. */
  readonly way: 'portions' | 'compared' | 'whole';
  /** Why it is encoded whole. */
  readonly why: string | undefined;
}

const MOST_PATHS = 20;

/** Changes nothing. `base`: its bytes, as last saved. */
export function outlookOf(attribute: Attribute, base: Uint8Array | undefined): Outlook {
  const { noted } = attribute;
  const paths: Path[] = [];
  let places = 0;
  for (const path of noted === undefined ? [] : placesOf(attribute, noted)) {
    if (paths.length < MOST_PATHS) paths.push(path);
    places += 1;
  }
  const why = base === undefined ? 'it is new' : wholeBecause(attribute, base);
  const isCompared = why === ASSIGNED && isObject(attribute.owner.valueOf(base!)) && isObject(attribute.root);
  return {
    written: attribute.writtenIn > 0,
    paths,
    places,
    way: isCompared ? 'compared' : why === undefined ? 'portions' : 'whole',
    why: isCompared ? undefined : why,
  };
}

const wholeBecause = (attribute: Attribute, base: Uint8Array): string | undefined =>
  attribute.unknownBecause(attribute.noted) ?? attribute.owner.wholeBecause(base, attribute.root, attribute.noted);

function* placesOf(attribute: Attribute, { noted, incomplete }: ChangeSet): Iterable<Path> {
  if (incomplete === ASSIGNED) yield [attribute.name];
  for (const node of noted) {
    const { notes } = node;
    const steps = notes && (node.raw === attribute.root ? [] : stepsTo(node.raw, attribute));
    if (steps === undefined) continue; // it is no longer there
    for (const step of stepsIn(node, notes!)) yield [attribute.name, ...steps, ...step];
  }
}

/** Places in one container; an empty step is the container itself, whose order has changed. */
function* stepsIn({ raw }: Node, { before, tail, elements, length }: Notes): Iterable<PathStep[]> {
  if (elements !== undefined) yield [];
  for (const key of before?.keys() ?? []) yield stepOf(raw, key);
  for (const key of tail ?? []) if (before?.get(key) !== ABSENT) yield stepOf(raw, key);
  if (length !== undefined && Array.isArray(raw)) for (let i = length; i < raw.length; i += 1) yield [i];
}

/** Of a key that no path carries: the container itself. */
function stepOf(raw: object, key: unknown): PathStep[] {
  if (raw instanceof Map)
    return typeof key === 'string' || typeof key === 'number'
      ? [{ kind: 'map value', index: [...raw.keys()].indexOf(key), key }]
      : [];
  return raw instanceof Set ? [] : [key as PathStep];
}
