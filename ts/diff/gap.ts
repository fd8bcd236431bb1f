import { commonBack, commonPrefix } from './bytes.ts';
import { bitsOf, hash4, hash5, hash8 } from './gram.ts';
import type { Matcher } from './matcher.ts';
import { DEBT_MIN, FILL_BITS, OWN_BITS } from './tables.ts';

/** A shorter gap is left as it is. */
const GAP_MIN = 4;
/**
 * In a gap of at least this much the base around it is looked at: so many bytes per byte of the gap and more, at most
 * that.
 */
const FILL_GAP_MIN = 8;
const REACH_PER_BYTE = 2;
const REACH_MORE = 112;
const REACH_MAX = 2048;
/** The base's grams are looked at in steps. */
const FILL_STEP = 2;
/** Shortest copies. */
const FILL_MIN = 6;
const DENSE_MIN = 8;
const OWN_MIN = 4;
/** The whole base is looked at, every fourth gram, once the gaps have come to this and such a part of the base. */
const DENSE_AFTER = 256;
const DENSE_PER_BASE = 64;
const DENSE_STEP = 4;
const DENSE_BITS_MIN = 8;
const DENSE_BITS_MAX = 20;
/** A copy shorter than this gives way to one that starts a byte later and gains more than this more. */
const LAZY_BELOW = 32;
const LAZY_GAIN = 2;
/** A copied byte gains as many quarters of a byte; what the kinds of copies cost. */
const GAIN = 3;
const COST_LEFT = 5;
const COST_RIGHT = 8;
const COST_BASE = 9;
const COST_OWN = 7;
/** Steps of work per byte. */
const FILL_WORK = 4;

/** A gap under way: it ends at `to`, and its ends lie on two diagonals, as source - position. */
const gap = { to: 0, left: 0, right: 0, usesBase: false, usesOwn: false };
/** The best copy found; `length` 0: none. */
const best = { source: 0, length: 0, gain: 0 };

/** Makes `target[from..to]`, where the base goes on at `left` after what is before it, and at `right` with what is after it. */
export function fillGap(matcher: Matcher, from: number, to: number, left: number, right: number): void {
  const length = to - from;
  matcher.gaps += length;
  matcher.work += FILL_WORK * length;
  if (length < GAP_MIN) {
    matcher.script.newBytes += length;
    return;
  }
  gap.to = to;
  gap.left = left - from;
  gap.right = right - to;
  gap.usesBase = length >= FILL_GAP_MIN;
  if (gap.usesBase) coverGap(matcher, length, left, right);
  if (matcher.denseBits === 0 && matcher.gaps > DENSE_AFTER + Math.floor(matcher.base.length / DENSE_PER_BASE))
    indexBase(matcher);
  gap.usesOwn = matcher.gaps > DEBT_MIN;
  fillWithCopies(matcher, from);
}

function fillWithCopies(matcher: Matcher, from: number): void {
  const { base, script, target } = matcher;
  const { to } = gap;
  let at = from;
  let isAhead = false;
  while (at < to) {
    if (!isAhead) findCopy(matcher, at);
    isAhead = false;
    let { source, length } = best;
    if (length > 0 && at + 1 < to && length < LAZY_BELOW) {
      const { gain } = best;
      findCopy(matcher, at + 1);
      isAhead = best.gain > gain + LAZY_GAIN;
    }
    if (length === 0 || isAhead) {
      pass(matcher, at, 1);
      script.newBytes++;
      at++;
      continue;
    }
    const start = source;
    const isOwn = start >= base.length;
    const back = isOwn
      ? commonBack(target, start - base.length, target, at, Math.min(script.newBytes, start - base.length))
      : commonBack(base, start, target, at, Math.min(script.newBytes, start));
    script.newBytes -= back;
    source -= back;
    script.copy(source, length + back);
    pass(matcher, at, length);
    at += length;
    if (!isOwn) gap.left = start + length - at;
  }
}

/** Notes the grams that start in `target[at..at + length]`. */
function pass(matcher: Matcher, at: number, length: number): void {
  if (!gap.usesOwn) return;
  const { stamp, targetView } = matcher;
  const { own } = matcher.tables;
  const end = Math.min(at + length, Math.max(matcher.target.length - 3, 0));
  for (let position = at; position < end; position++) own[hash4(targetView, position, OWN_BITS)] = stamp + position + 1;
}

function weigh(source: number, length: number, cost: number): void {
  const gain = GAIN * length - cost;
  if (gain <= best.gain) return;
  best.source = source;
  best.length = length;
  best.gain = gain;
}

/** Finds the copy that gains most at `target[at]`. */
function findCopy(matcher: Matcher, at: number): void {
  const { base, stamp, tables, target, targetView } = matcher;
  const { to } = gap;
  best.length = 0;
  best.gain = 0;
  weighDiagonal(matcher, at, at + gap.left, COST_LEFT);
  weighDiagonal(matcher, at, at + gap.right, COST_RIGHT);
  if (at + 8 > target.length || to - at < OWN_MIN) return;
  if (gap.usesBase && to - at >= FILL_MIN) {
    const slot = 2 * hash5(targetView, at, FILL_BITS);
    weighBase(matcher, at, tables.fill[slot]! - stamp - 1, FILL_MIN);
    weighBase(matcher, at, tables.fill[slot + 1]! - stamp - 1, FILL_MIN);
  }
  if (matcher.denseBits > 0 && to - at >= DENSE_MIN)
    weighBase(matcher, at, tables.dense[hash8(targetView, at, matcher.denseBits)]! - stamp - 1, DENSE_MIN);
  if (!gap.usesOwn) return;
  const source = tables.own[hash4(targetView, at, OWN_BITS)]! - stamp - 1;
  if (source < 0 || source >= at) return;
  const length = commonPrefix(target, source, target.length, target, at, to);
  if (length >= OWN_MIN) weigh(base.length + source, length, COST_OWN + (bitsOf(at - source) >> 1));
}

function weighDiagonal(matcher: Matcher, at: number, source: number, cost: number): void {
  const { base, target } = matcher;
  if (source < 0 || source >= base.length || base[source] !== target[at]) return;
  weigh(source, commonPrefix(base, source, base.length, target, at, gap.to), cost);
}

function weighBase(matcher: Matcher, at: number, source: number, least: number): void {
  if (source < 0) return;
  const length = commonPrefix(matcher.base, source, matcher.base.length, matcher.target, at, gap.to);
  if (length >= least) weigh(source, length, COST_BASE + (bitsOf(Math.abs(source - at - gap.left)) >> 1));
}

/** Puts the base's grams around both ends of a gap into the table. */
function coverGap(matcher: Matcher, length: number, left: number, right: number): void {
  const reach = Math.min(REACH_PER_BYTE * length + REACH_MORE, REACH_MAX);
  const half = Math.floor(reach / 2);
  const limit = Math.max(matcher.base.length - 7, 0);
  const firstLow = Math.max(left - half, 0);
  const firstHigh = Math.min(left + reach, limit);
  const secondLow = Math.max(right - reach, 0);
  const secondHigh = Math.min(right + half, limit);
  if (secondLow < firstHigh && firstLow < secondHigh) {
    coverSpan(matcher, Math.min(firstLow, secondLow), Math.max(firstHigh, secondHigh));
  } else {
    coverSpan(matcher, secondLow, secondHigh);
    coverSpan(matcher, firstLow, firstHigh);
  }
}

function coverSpan(matcher: Matcher, low: number, high: number): void {
  if (low >= high) return;
  const { baseView, stamp } = matcher;
  const { fill } = matcher.tables;
  if (low < matcher.fillLow || low > matcher.fillHigh) {
    matcher.fillLow = low;
    matcher.fillHigh = low;
  }
  let position = matcher.fillHigh;
  matcher.work += Math.floor(Math.max(high - position, 0) / FILL_STEP);
  for (; position < high; position += FILL_STEP) {
    const slot = 2 * hash5(baseView, position, FILL_BITS);
    fill[slot + 1] = fill[slot]!;
    fill[slot] = stamp + position + 1;
  }
  matcher.fillHigh = position;
}

/** Puts grams of the whole base into a table. */
export function indexBase(matcher: Matcher): void {
  const { base, baseView, stamp, tables } = matcher;
  const count = Math.floor(base.length / DENSE_STEP);
  const bits = Math.min(Math.max(bitsOf(count), DENSE_BITS_MIN), DENSE_BITS_MAX);
  if (tables.dense.length < 1 << bits) tables.dense = new Uint32Array(1 << bits);
  const { dense } = tables;
  const end = base.length - 7;
  for (let position = 0; position < end; position += DENSE_STEP)
    dense[hash8(baseView, position, bits)] = stamp + position + 1;
  matcher.work += count;
  matcher.denseBits = bits;
}
