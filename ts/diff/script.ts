/** How many streams of copies are remembered. */
export const LANES = 4;
/** A copy that starts this close to a stream's end goes on with it. */
const LANE_WIDTH = 64;
/** Bytes that an operation takes, about. */
const OPERATION_COST = 4;
/** Words of an operation. */
export const OPERATION = 3;
const ROOM_MIN = 3 << 8;
const ROOM_KEPT = 3 << 18;

/**
 * What turns the base into the target: operations, in the order of the target. Each is three words: new bytes, then a
 * copy's source and length. A source from the base's length on is in the target itself, at what is beyond.
 */
export class Script {
  operations: Uint32Array = new Uint32Array(ROOM_MIN);
  /** Words in use. */
  length = 0;
  #base = 0;
  /** New bytes since the last copy. */
  newBytes = 0;
  #written = 0;
  /** Where the last copies from the base ended, a stream each, the latest first. */
  readonly lanes: number[] = Array.from({ length: LANES }, () => 0);

  begin(base: number): void {
    this.length = 0;
    this.#base = base;
    this.newBytes = 0;
    this.#written = 0;
    this.lanes.fill(0);
  }

  giveBack(): void {
    if (this.operations.length > ROOM_KEPT) this.operations = new Uint32Array(ROOM_MIN);
  }

  /** Where the last copy from the base ended. */
  get left(): number {
    return this.lanes[0]!;
  }

  /** Bytes that the operations take, about. */
  get cost(): number {
    return this.#written + this.newBytes + (OPERATION_COST * this.length) / OPERATION;
  }

  /** The next bytes of the target are those at `source`. */
  copy(source: number, length: number): void {
    if (!this.#goesOn(source, length) && length + this.newBytes > 0) this.#push(source, length);
    this.#written += this.newBytes;
    this.newBytes = 0;
    if (source >= this.#base) return;
    const { lanes } = this;
    let lane = 0;
    while (lane < LANES - 1 && Math.abs(source - lanes[lane]!) >= LANE_WIDTH) lane++;
    for (; lane > 0; lane--) lanes[lane] = lanes[lane - 1]!;
    lanes[0] = source + length;
  }

  /** Makes the last copy longer where this one continues it. */
  #goesOn(source: number, length: number): boolean {
    const { operations, length: end } = this;
    if (end === 0 || this.newBytes > 0 || source === this.#base) return false;
    const copied = operations[end - 1]!;
    if (copied === 0 || operations[end - 2]! + copied !== source) return false;
    operations[end - 1] = copied + length;
    return true;
  }

  #push(source: number, length: number): void {
    if (this.length === this.operations.length) {
      const grown = new Uint32Array(2 * this.length);
      grown.set(this.operations);
      this.operations = grown;
    }
    this.operations[this.length++] = this.newBytes;
    this.operations[this.length++] = source;
    this.operations[this.length++] = length;
  }

  /** Ends with a copy of the base's last `suffix` bytes. */
  finish(suffix: number): void {
    if (suffix > 0) this.copy(this.#base - suffix, suffix);
    else if (this.newBytes > 0) this.copy(this.left, 0);
  }
}
