import { varintLength } from '../diff/format.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** How an order is written: as runs of neighbours, or each place in as many bits as the largest needs. */
export const ORDER_RUNS = 0;
export const ORDER_PACKED = 1;

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

/** Places that follow each other, one way or the other. */
interface Run {
  readonly start: number;
  readonly length: number;
  readonly isDown: boolean;
}

function runsOf(order: Int32Array): Run[] {
  const runs: Run[] = [];
  for (let i = 0; i < order.length;) {
    const step = order[i + 1] === order[i]! - 1 ? -1 : 1;
    let end = i + 1;
    while (end < order.length && order[end] === order[end - 1]! + step) end += 1;
    runs.push({ start: order[i]!, length: end - i, isDown: step < 0 });
    i = end;
  }
  return runs;
}

/** The two numbers of each run: its start, seen from the end of the run before, and its length and direction. */
function numbersOf(runs: readonly Run[]): number[] {
  let expected = 0;
  return runs.flatMap(({ start, length, isDown }) => {
    const from = zigzag(start - expected);
    expected = isDown ? start + 1 : start + length;
    return [from, 2 * (length - 1) + (isDown ? 1 : 0)];
  });
}

const bitsFor = (size: number): number => (size < 2 ? 0 : 32 - Math.clz32(size - 1));

const packedBytes = (size: number): number => (size * bitsFor(size) + 7) >> 3;

/** A permutation, in whichever way is shorter: for each place of the result, where it is in the sequence before. */
export class WrittenOrder {
  readonly length: number;
  private readonly order: Int32Array;
  private readonly runs: readonly number[] | undefined;

  constructor(order: Int32Array) {
    const runs = numbersOf(runsOf(order));
    const packed = packedBytes(order.length);
    const asRuns = runs.reduce((sum, number) => sum + varintLength(number), 0);
    this.order = order;
    this.runs = asRuns <= packed ? runs : undefined;
    this.length = 1 + Math.min(asRuns, packed);
  }

  put(writer: Writer): void {
    const { runs } = this;
    writer.byte(runs === undefined ? ORDER_PACKED : ORDER_RUNS);
    if (runs === undefined) return this.pack(writer);
    for (const number of runs) writer.number(number);
  }

  private pack(writer: Writer): void {
    const bits = bitsFor(this.order.length);
    let held = 0;
    let count = 0;
    for (const place of this.order) {
      for (let bit = 0; bit < bits; bit += 1) {
        held |= ((place >>> bit) & 1) << count;
        count += 1;
        if (count < 8) continue;
        writer.byte(held);
        held = 0;
        count = 0;
      }
    }
    if (count > 0) writer.byte(held);
  }
}

/** Refuses what is no permutation of `size` places. */
export function takeOrder(reader: Reader, size: number): Int32Array {
  const mode = reader.byte();
  const order = new Int32Array(size);
  if (mode === ORDER_RUNS) takeRuns(reader, order);
  else if (mode === ORDER_PACKED) takePacked(reader, order);
  else reader.corrupt('an order is written in an unknown way');
  const seen = new Uint8Array(size);
  for (const place of order) {
    if (place < 0 || place >= size || seen[place] === 1) reader.corrupt('an order names a place twice, or none');
    seen[place] = 1;
  }
  return order;
}

function takeRuns(reader: Reader, order: Int32Array): void {
  let expected = 0;
  for (let i = 0; i < order.length;) {
    const coded = reader.number();
    const start = expected + (coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2);
    const size = reader.number();
    const [length, step] = [Math.floor(size / 2) + 1, size % 2 === 0 ? 1 : -1];
    const last = start + step * (length - 1);
    if (length > order.length - i || Math.min(start, last) < 0 || Math.max(start, last) >= order.length)
      reader.corrupt('an order leads out of its sequence');
    for (let n = 0; n < length; n += 1) order[i++] = start + step * n;
    expected = Math.max(start, last) + 1;
  }
}

function takePacked(reader: Reader, order: Int32Array): void {
  const bits = bitsFor(order.length);
  let held = 0;
  let count = 0;
  for (let i = 0; i < order.length; i += 1) {
    let place = 0;
    for (let bit = 0; bit < bits; bit += 1) {
      if (count === 0) {
        held = reader.byte();
        count = 8;
      }
      place |= (held & 1) << bit;
      held >>= 1;
      count -= 1;
    }
    order[i] = place;
  }
  if (held !== 0) reader.corrupt('an order has bits behind its end');
}
