import type { Owner } from '../tracking/attribute-terms.ts';
import { BYTES_A_MARK, type ChangeSet } from '../tracking/change-set.ts';
import { Fault } from '../codec/fault.ts';
import type { Ids } from '../codec/ids.ts';
import type { ValueTypes } from '../codec/value-types.ts';
import { isObject } from '../tracking/kinds.ts';
import { nodeOfRaw } from '../tracking/nodes.ts';
import { giveMemory } from './memory.ts';
import { Plan } from './plan.ts';
import { Unfit } from './unfit.ts';

/** Each save compares what it has put together with what encoding the whole gives. For tests. */
export const VERIFY: boolean = process.env['HOLDFAST_VERIFY_PORTIONS'] === '1';

export interface PortionLimits {
  /** Attributes below are encoded whole: that is as fast. */
  readonly wholeBytes: number;
  /** Where more was written than one mark in so many bytes, the whole is encoded as fast. */
  readonly bytesAMark: number;
  /** Of containers below, it is found again each time where their entries lie. */
  readonly keptBytes: number;
}

const LIMITS: PortionLimits = { wholeBytes: 512, bytesAMark: BYTES_A_MARK, keptBytes: 512 };

/** Of an attribute whose base is not kept: nor is where its entries lie. */
export const UNKEPT: PortionLimits = { ...LIMITS, keptBytes: Infinity };

let layouts = 0;

/**
 * What is known of one attribute's canonical bytes, for as long as its value lives in memory: that `root` was encoded
 * as `base`, so that a save need look only at what was written since.
 */
export class Portions implements Owner {
  #base: Uint8Array | undefined;
  #root: unknown;
  /** Put together here, and in no other hands but the image's: the latest, and the base before it. */
  #target: Uint8Array | undefined;
  #before: Uint8Array | undefined;
  /** What is known of where things lie in the base holds for this layout alone. */
  #layout = ++layouts;
  /** Of objects that are in several places of the value, as they are called in the base. */
  ids: Ids | undefined;
  /** Classes whose instances are kept. */
  readonly types: ValueTypes;
  readonly #limits: PortionLimits;

  constructor(types: ValueTypes, limits: PortionLimits = LIMITS) {
    this.types = types;
    this.#limits = limits;
  }

  /** `base` is what `root` is encoded as. */
  settle(base: Uint8Array, root: unknown): void {
    this.#base = base;
    this.#root = root;
    if (base === this.#target) return;
    // The target came to the same, or was copied to smaller memory: it is in nobody's hands.
    this.#target = base === this.#before ? base : undefined;
    if (this.#target !== undefined) this.#before = undefined;
  }

  forget(): void {
    this.#base = undefined;
    this.#root = undefined;
    this.#layout = ++layouts;
    this.disown();
  }

  /** The same bytes lie elsewhere from now on, where they are not its own. */
  moved(from: Uint8Array, to: Uint8Array): void {
    if (this.#base !== from) return;
    this.#base = to;
    this.disown();
  }

  /** The value is let go. */
  release(): void {
    this.forget();
    this.ids = undefined;
  }

  /** The image that has the bytes is no longer the only one. */
  disown(): void {
    this.#target = undefined;
    this.#before = undefined;
  }

  /** The save that was settled is in the primary: its base is nobody's. */
  accepted(): void {
    if (this.#before !== undefined) giveMemory(this.#before, VERIFY);
    this.#before = undefined;
  }

  valueOf(base: Uint8Array): unknown {
    return base === this.#base ? this.#root : undefined;
  }

  splice(base: Uint8Array, root: unknown, changes: ChangeSet | undefined): Uint8Array | undefined {
    const isTried = this.wholeBecause(base, root, changes) === undefined;
    const target = isTried ? this.#spliced(base, root as object, changes) : undefined;
    if (target === undefined) this.forget();
    return target;
  }

  wholeBecause(base: Uint8Array, root: unknown, changes: ChangeSet | undefined): string | undefined {
    if (base !== this.#base || root !== this.#root) return 'it was not decoded from the bytes that are there';
    if (!isObject(root)) return 'it has no parts';
    if (changes === undefined) return undefined;
    const { round, marks, incomplete } = changes;
    // Ids are counted over the whole: what is in several places may have its first place anywhere.
    if (this.ids !== undefined) return 'something is in several places of it';
    if (incomplete !== undefined || marks === 0) return incomplete;
    const { wholeBytes, bytesAMark } = this.#limits;
    if (nodeOfRaw(root)?.notes?.round !== round) return 'nothing is noted of its root';
    if (base.length < wholeBytes) return 'it is small: that is as fast';
    return marks * bytesAMark > base.length ? 'much of it was written: that is as fast' : undefined;
  }

  #spliced(base: Uint8Array, root: object, changes: ChangeSet | undefined): Uint8Array | undefined {
    if (changes === undefined || changes.marks === 0) return base;
    try {
      const terms = { layout: this.#layout, keptBytes: this.#limits.keptBytes, types: this.types };
      const target = Plan.target(base, nodeOfRaw(root)!, changes, terms);
      this.#before = base === this.#target ? base : undefined;
      return (this.#target = target);
    } catch (error) {
      // What is wrong with a value is found again, with its path.
      if (!VERIFY || error instanceof Unfit || error instanceof Fault) return undefined;
      throw error;
    }
  }
}
