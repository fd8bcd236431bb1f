import type { Attribute } from './attribute.ts';
import { isFrozenTree, refill, thawed, type Collection, type Tree } from './kinds.ts';
import { Node, nodeOfRaw, replaced, setNode } from './nodes.ts';

/**
 * The copy that takes the place of a tree, because that is frozen or the application's: same content, so nothing is
 * written.
 */
export function thaw(attribute: Attribute, tree: object): Tree {
  const copy = thawed(tree);
  setNode(copy, new Node(copy, attribute, nodeOfRaw(tree)?.born ?? 0));
  replaced.set(tree, copy);
  return copy;
}

const unfrozen = (attribute: Attribute, raw: unknown): unknown => (isFrozenTree(raw) ? thaw(attribute, raw) : raw);

/** A Map's key or a Set's element has no place where it could be exchanged later. */
export const adoptMember = (attribute: Attribute, value: unknown): unknown =>
  unfrozen(attribute, attribute.adopt(value));

/** Exchanges frozen keys and elements, in their order, before they are handed out. */
export function thawMembers(attribute: Attribute, raw: Collection): void {
  for (const member of raw.keys()) {
    if (!isFrozenTree(member)) continue;
    attribute.changes.incomplete ??= 'frozen members were exchanged';
    refill(raw, (one) => unfrozen(attribute, one));
    return;
  }
}
