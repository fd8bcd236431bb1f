import { varintLength } from '../diff/format.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** How an order is written: as runs of neighbours, or each place in as many bits as the largest needs. */
export const ORDER_RUNS = 0;
export const ORDER_PACKED = 1;

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

/** Starts and lengths of the runs in which `order` counts up. */
function runsOf(order: Int32Array): number[] {
  const runs: number[] = [];
  for (let i = 0; i < order.length;) {
    let end = i + 1;
    while (end < order.length && order[end] === order[end - 1]! + 1) end += 1;
    runs.push(order[i]!, end - i);
    i = end;
  }
  return runs;
}

const bitsFor = (size: number): number => (size < 2 ? 0 : 32 - Math.clz32(size - 1));

function runsBytes(runs: readonly number[]): number {
  let bytes = 0;
  let expected = 0;
  for (let i = 0; i < runs.length; i += 2) {
    bytes += varintLength(zigzag(runs[i]! - expected)) + varintLength(runs[i + 1]! - 1);
    expected = runs[i]! + runs[i + 1]!;
  }
  return bytes;
}

const packedBytes = (size: number): number => (size * bitsFor(size) + 7) >> 3;

/** Bytes that `putOrder` takes. */
export function orderBytes(order: Int32Array): number {
  return 1 + Math.min(runsBytes(runsOf(order)), packedBytes(order.length));
}

/** Of a permutation: for each place of the result, where it is in the sequence before. */
export function putOrder(writer: Writer, order: Int32Array): void {
  const runs = runsOf(order);
  if (runsBytes(runs) <= packedBytes(order.length)) {
    writer.byte(ORDER_RUNS);
    let expected = 0;
    for (let i = 0; i < runs.length; i += 2) {
      writer.number(zigzag(runs[i]! - expected));
      writer.number(runs[i + 1]! - 1);
      expected = runs[i]! + runs[i + 1]!;
    }
    return;
  }
  writer.byte(ORDER_PACKED);
  const bits = bitsFor(order.length);
  let held = 0;
  let count = 0;
  for (const place of order) {
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
    const length = reader.number() + 1;
    if (length > order.length - i || start < 0 || start + length > order.length)
      reader.corrupt('an order leads out of its sequence');
    for (let n = 0; n < length; n += 1) order[i++] = start + n;
    expected = start + length;
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
