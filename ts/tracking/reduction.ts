import type { Adoption } from './adoption.ts';
import { Assignment, reduceParts, type AssignmentTerms, type Placed } from './assignment.ts';
import type { Attribute } from './attribute.ts';
import { BYTES_A_MARK, ChangeSet } from './change-set.ts';
import { isObject } from './kinds.ts';
import { Node, nodeOfRaw, setNode } from './nodes.ts';

/**
 * What was assigned to an attribute, or to places in it, told as changes of what was there before, as far as it can be:
 * so that a save sends what differs.
 */
export class Reduction {
  readonly #attribute: Attribute;
  readonly #adoption: Adoption;

  constructor(attribute: Attribute, adoption: Adoption) {
    this.#attribute = attribute;
    this.#adoption = adoption;
  }

  /** Makes `from`, the value as it was, into the one that was assigned, and tells how. Undefined: it cannot be told. */
  whole(assigned: ChangeSet, from: object, base: Uint8Array): ChangeSet | undefined {
    const attribute = this.#attribute;
    const now = attribute.root;
    if (!isObject(now) || assigned.marks > 0 || attribute.exposures !== undefined) return undefined;
    if (attribute.owner.ids !== undefined) return undefined; // it is encoded whole
    if (this.#adoption.heldSince < assigned.round) return undefined;
    if (this.isShown(now)) return undefined; // it may be changed by what was handed out of it
    const changes = new ChangeSet(assigned.round, attribute);
    const assignment = new Assignment(changes, attribute, this.#termsFor(assigned, from, base));
    attribute.put(attribute, attribute.name, from);
    if (assigned.moved?.has(from) === true || !assignment.make(attribute.name, from, now)) {
      attribute.put(attribute, attribute.name, now);
      attribute.owner.forget();
      return undefined;
    }
    this.#adoption.note(assignment.placed);
    return changes;
  }

  /** Whether there were such parts. `ends`: the tracker is closed before anything else runs. */
  parts(changes: ChangeSet, from: object, base: Uint8Array, ends: boolean): boolean {
    const node = nodeOfRaw(from);
    const { root, exposures, owner } = this.#attribute;
    if (from !== root || node === undefined || exposures !== undefined || owner.ids !== undefined) return false;
    if (changes.marks * BYTES_A_MARK > base.length) return false;
    const placed: Placed[] = [];
    const reduced = reduceParts(changes, node, placed, (old, now) =>
      (!ends && this.isShown(old)) || this.isShown(now) || changes.moved?.has(old) === true
        ? undefined
        : this.#termsFor(changes, old, base),
    );
    if (reduced) this.#adoption.note(placed);
    return reduced;
  }

  /** It, and maybe parts of it, were handed out here: they go on showing what it was, whatever takes its place. */
  isShown(part: object): boolean {
    const node = nodeOfRaw(part);
    return node?.attribute === this.#attribute && node.proxy !== undefined;
  }

  #termsFor({ moved }: ChangeSet, old: object, base: Uint8Array): AssignmentTerms {
    return {
      most: base.length / BYTES_A_MARK,
      kept: moved,
      shown: this.isShown(old),
      nodeFor: (raw, parent, key) => this.#nodeFor(raw, parent, key),
    };
  }

  #nodeFor(raw: object, parent: object, key: unknown): Node {
    const known = nodeOfRaw(raw);
    const node = known?.owner === this.#attribute.owner ? known : new Node(raw, this.#attribute, 0);
    if (node !== known) setNode(raw, node);
    node.parent = parent;
    node.key = key;
    return node;
  }
}
