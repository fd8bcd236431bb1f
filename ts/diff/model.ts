import { Chances, type Coder } from './range.ts';

/**
 * A copy's source: on the diagonal, where the last copy from the base ended, where one of the three streams before it
 * did, ahead or back of the latest, or in the target's own text.
 */
export const DIAGONAL = 0;
export const STREAM = 1;
export const AHEAD = 5;
export const BACK = 6;
export const OWN = 7;
const KINDS = 8;

/** Bits below the highest that are expected by chance. */
const TOP_BITS = 2;
const SIZES = 32;
/** Chances of a number: of how many bits it has, then of the highest of them for each. */
const NUMBER = SIZES + SIZES * 4;

/** Where the chances of each field start. */
const KIND_AT = 0;
const LITERAL_LENGTH_AT = KIND_AT + KINDS * 2 * KINDS;
const LENGTH_AT = LITERAL_LENGTH_AT + 3 * NUMBER;
const DISTANCE_AT = LENGTH_AT + 3 * NUMBER;
const LITERAL_AT = DISTANCE_AT + 3 * NUMBER;
const COUNT = LITERAL_AT + 256;

/** What the coder expects of the fields of operations, and learns from them. One call uses it at a time. */
export class Model {
  readonly chances: Chances = new Chances(COUNT);
  coder!: Coder;

  literalLength(before: number, value: number): number {
    const context = before === OWN ? 2 : 1;
    return this.#number(LITERAL_LENGTH_AT + NUMBER * (before <= STREAM ? 0 : context), value);
  }

  literal(value: number): number {
    return this.#tree(LITERAL_AT, value, 8);
  }

  /** By the kind before, and by whether there are new bytes between. */
  kind(before: number, hasLiteral: boolean, value: number): number {
    return this.#tree(KIND_AT + KINDS * (2 * before + (hasLiteral ? 1 : 0)), value, 3);
  }

  /** How far the source is from where the kind says; nothing is coded for the kinds that say it all. */
  distance(kind: number, value: number): number {
    return kind < AHEAD ? 0 : this.#number(DISTANCE_AT + NUMBER * (kind - AHEAD), value);
  }

  /** A copy's length; 0: as long as the target. */
  length(kind: number, value: number): number {
    const context = kind === OWN ? 2 : 1;
    return this.#number(LENGTH_AT + NUMBER * (kind === DIAGONAL ? 0 : context), value);
  }

  /** A number v: how many bits v + 1 has, then the two below the highest, each by chance; then the others plain. */
  #number(place: number, value: number): number {
    const word = (value + 1) >>> 0;
    const size = this.#tree(place, 31 - Math.clz32(word | 1), 5);
    const known = Math.min(size, TOP_BITS);
    const rest = size - known;
    const top = this.#tree(place + SIZES + 4 * size, (word >>> rest) & ((1 << known) - 1), known);
    const low = this.coder.plain(word & ((1 << rest) - 1), rest);
    return ((1 << known) + top) * (1 << rest) + low - 1;
  }

  /** `count` bits, the highest first, each with a chance of its own for those before it. */
  #tree(place: number, value: number, count: number): number {
    const { coder } = this;
    let node = 1;
    for (let bit = count - 1; bit >= 0; bit--) node = (node << 1) | coder.bit(place + node, (value >>> bit) & 1);
    return node - (1 << count);
  }
}
