import { FAR_GRAM, Far } from './far.ts';
import { bitsOf, hash8, sameGram } from './gram.ts';
import type { Matcher } from './matcher.ts';
import { LANES } from './script.ts';
import { DEBT_MIN, NEAR_BITS } from './tables.ts';

/**
 * Where base, or the target's own text, agrees with the target again for long. Chosen by score: what an anchor copies,
 * less what its address costs and what is left out before it. `length` 0: none.
 */
export interface Anchor {
  at: number;
  source: number;
  length: number;
  /** The source is in the target. */
  isOwn: boolean;
  score: number;
}

const GRAM = 8;
/** No anchor is shorter. */
const LENGTH_MIN = 13;
/** The next equal word on the diagonal is looked for this far; from this length on its match needs no comparing. */
const DIAGONAL_REACH = 64;
const DIAGONAL_ENOUGH = 32;
/** With less left than this there is no search off the diagonal. */
const SEARCH_MIN = 16;
/**
 * A value that grew or shrank a little: words so far ahead are looked for as far to either side, and such a match is
 * enough.
 */
const SHIFTS = [
  { ahead: 16, reach: 12 },
  { ahead: 40, reach: 24 },
] as const;
const SHIFTS_ROOM = 80;
const SHIFT_ENOUGH = 192;
/** Where all of the base has been copied but this much, an insertion of up to so many bytes is only filled. */
const REST_MAX = 16;
const INSERTION_MAX = 1024;
/** How far around the expected position the base's grams are looked at, every eighth. */
const NEAR_BACK = 192;
const NEAR_AHEAD = 384;
const NEAR_STEP = 8;
/**
 * After an anchor a better one is looked for in this many bytes; after one of such a length in fewer, where the search
 * has taken more steps than it has passed bytes.
 */
const LOOK_ON = 24;
const LOOK_ON_HURRIED = 8;
const HURRIED_LENGTH = 32;
const HURRIED_MIN = 2048;
/** What is this long, or this long at a low address cost, is taken. */
const ENOUGH = 512;
const ENOUGH_CHEAP = 96;
const CHEAP = 16;
/** Address costs above the one are raised by the other: a far jump is often one of chance. */
const JUMP = 13;
const JUMP_MORE = 8;
/** After this many misses (as a power of two) the scan goes on with wider steps, up to 31. */
const PATIENCE_BITS = 9;
const STEP_MAX = 15;
/**
 * Far grams are asked once the debt has reached `DEBT_MIN` + base / this, at most that; after a scan of so much, of an
 * edit of at least so much, unless there is an anchor of such a length.
 */
const DEBT_PER_BASE = 256;
const DEBT_MAX = 384;
const FAR_AFTER = 64;
const FAR_ROOM = 48;
const FAR_NEEDLESS = 64;
/** A far gram takes so many steps of work; a match that is compared so many, and one more per 16 bytes. */
const FAR_WORK = 2;
const WEIGH_WORK = 2;
const COMPARED_BITS = 4;
/** No address costs less. */
const COST_MIN = 4;
/** What an anchor off the diagonal adds to the debt. */
const DEBT_OF_SHIFT = 4;
const DEBT_OF_SCAN = 8;

/** A scan under way. */
const scan = {
  from: 0,
  at: 0,
  /** Where it ends, and where it ends at the latest. */
  limit: 0,
  stop: 0,
  /** The search has taken much work so far. */
  isHurried: false,
};

/** Finds the anchor at or after `target[at]`, where `base[expected]` differs from it. */
export function findAnchor(matcher: Matcher, at: number, expected: number): void {
  const { anchor } = matcher;
  anchor.length = 0;
  onDiagonal(matcher, at, expected);
  if (anchor.length >= Math.max(DIAGONAL_ENOUGH, 2 * (anchor.at - at))) {
    matcher.debt += anchor.at - at;
    return;
  }
  const left = matcher.end - at;
  if (left < SEARCH_MIN) return;
  if (shifted(matcher, at, expected)) {
    matcher.debt += anchor.at - at + DEBT_OF_SHIFT;
    return;
  }
  const isRest = expected <= matcher.baseEnd && matcher.baseEnd < expected + REST_MAX;
  if (isRest && left < INSERTION_MAX) {
    anchor.length = 0;
    return;
  }
  scanForward(matcher, at, expected);
  if (anchor.length > 0) matcher.debt += anchor.at - at + DEBT_OF_SCAN;
}

function set(anchor: Anchor, at: number, source: number, length: number, isOwn: boolean, score: number): void {
  anchor.at = at;
  anchor.source = source;
  anchor.length = length;
  anchor.isOwn = isOwn;
  anchor.score = score;
}

/** The first anchor on the diagonal, or the first that will do. */
function onDiagonal(matcher: Matcher, at: number, expected: number): void {
  const { anchor, base, baseView, targetView } = matcher;
  const reach = Math.min(base.length - expected, matcher.end - at, DIAGONAL_REACH);
  let i = 0;
  while (i + GRAM <= reach) {
    const last = lastDifference(baseView, expected + i, targetView, at + i);
    if (last >= 0) {
      i += last + 1;
      continue;
    }
    const length = matcher.extend(base, expected + i, at + i, at);
    const skipped = i - matcher.back;
    const isEnough = length >= Math.max(DIAGONAL_ENOUGH, 2 * skipped);
    if (isEnough || (anchor.length === 0 && length >= LENGTH_MIN))
      set(anchor, at + skipped, expected + skipped, length, false, 4 * length - 3 * skipped);
    if (isEnough) return;
    i = skipped + length + 1;
  }
}

/** Which of 8 bytes is the last to differ; -1: they are the same. */
function lastDifference(a: DataView, aAt: number, b: DataView, bAt: number): number {
  const high = a.getInt32(aAt + 4, true) ^ b.getInt32(bAt + 4, true);
  if (high !== 0) return 7 - (Math.clz32(high) >> 3);
  const low = a.getInt32(aAt, true) ^ b.getInt32(bAt, true);
  return low === 0 ? -1 : 3 - (Math.clz32(low) >> 3);
}

/** Looks without a table for words that are a little further on; whether that is enough. */
function shifted(matcher: Matcher, at: number, expected: number): boolean {
  const { base, baseView, targetView } = matcher;
  if (base.length - expected < SHIFTS_ROOM || matcher.end - at < SHIFTS_ROOM) return false;
  for (const { ahead, reach } of SHIFTS) {
    const from = expected + ahead - reach;
    let i = 0;
    while (i <= 2 * reach && !sameGram(baseView, from + i, targetView, at + ahead)) i++;
    if (i > 2 * reach) continue;
    const length = matcher.extend(base, from + i, at + ahead, at);
    if (length < SHIFT_ENOUGH) continue;
    set(matcher.anchor, at + ahead - matcher.back, from + i - matcher.back, length, false, 0);
    return true;
  }
  return false;
}

function scanForward(matcher: Matcher, from: number, expected: number): void {
  const { anchor } = matcher;
  coverNear(matcher, expected);
  scan.from = from;
  scan.at = from;
  scan.stop = matcher.end + 1 - GRAM;
  scan.isHurried = matcher.work > HURRIED_MIN + (from - matcher.start);
  scan.limit = firstLimit(anchor);
  let misses = 0;
  let isFar = matcher.far !== undefined;
  while (scan.at < scan.limit) {
    look(matcher, scan.at < from + NEAR_AHEAD, isFar);
    matcher.work += isFar ? FAR_WORK : 1;
    scan.at += 1 + 2 * Math.min(misses >> PATIENCE_BITS, STEP_MAX);
    misses++;
    if (isFar || scan.at < Math.min(scan.limit, from + FAR_AFTER) || !wantsFar(matcher)) continue;
    isFar = true;
    if (matcher.far === undefined) makeFar(matcher);
    scan.at = from;
    scan.limit = firstLimit(anchor);
  }
}

function firstLimit(anchor: Anchor): number {
  return anchor.length === 0 ? scan.stop : Math.min(scan.stop, anchor.at + Math.min(anchor.length, LOOK_ON));
}

function makeFar(matcher: Matcher): void {
  matcher.work += Math.floor(matcher.base.length / NEAR_STEP);
  matcher.far = new Far(matcher.baseView, matcher.tables.far);
  matcher.tables.far = matcher.far.table;
}

function wantsFar(matcher: Matcher): boolean {
  const { anchor, end } = matcher;
  if (end - scan.from < FAR_ROOM || anchor.length >= FAR_NEEDLESS) return false;
  const passed = (anchor.length === 0 ? end : anchor.at) - scan.from;
  const debt = matcher.debt + Math.min(passed, scan.at - scan.from + 32);
  return debt > Math.min(DEBT_MIN + Math.floor(matcher.base.length / DEBT_PER_BASE), DEBT_MAX);
}

/** Weighs what the tables have for one position. */
function look(matcher: Matcher, isNear: boolean, isFar: boolean): void {
  const { anchor, baseView, stamp, targetView } = matcher;
  const at = scan.at;
  if (isNear) {
    const { near } = matcher.tables;
    const slot = 2 * hash8(targetView, at, NEAR_BITS);
    const first = near[slot]! - stamp - 1;
    const second = near[slot + 1]! - stamp - 1;
    if (first >= 0 && sameGram(baseView, first, targetView, at)) weigh(matcher, at, first);
    if (second >= 0 && sameGram(baseView, second, targetView, at)) weigh(matcher, at, second);
  }
  if (!isNearlyDone(anchor)) {
    const own = matcher.recent(at);
    if (own >= 0 && sameGram(targetView, own, targetView, at)) weighOwn(matcher, at, own);
  }
  if (isFar && at + FAR_GRAM <= matcher.end && !isNearlyDone(anchor)) lookFar(matcher, at);
  if (anchor.length > 0)
    scan.limit = Math.min(scan.limit, anchor.at + Math.min(anchor.length, lookOn(anchor.length)) + 1);
}

function lookFar(matcher: Matcher, at: number): void {
  const { anchor, baseView, targetView } = matcher;
  const far = matcher.far!;
  const source = far.find(targetView, at);
  if (source < 0 || (far.isRepeated && anchor.length > 0)) return;
  for (let i = 0; i < FAR_GRAM; i += GRAM) if (!sameGram(baseView, source + i, targetView, at + i)) return;
  weigh(matcher, at, source);
}

/** Whether the match is on the best anchor's diagonal, within it. */
function goesAlong(anchor: Anchor, at: number, source: number, isOwn: boolean): boolean {
  return (
    anchor.length > 0 &&
    anchor.isOwn === isOwn &&
    anchor.source + at === source + anchor.at &&
    at < anchor.at + anchor.length
  );
}

/**
 * Whether the match at `source` of `text` ends too early to be better than the best, however far it goes back: one look
 * where it would have to end, in place of comparing all of it.
 */
function isBeaten(matcher: Matcher, text: DataView, source: number, at: number): boolean {
  const { anchor } = matcher;
  if (anchor.length === 0) return false;
  const least = Math.floor((anchor.score + COST_MIN) / 4) + 1 - (at - scan.from);
  if (least < 2 * GRAM) return false;
  const last = least - GRAM;
  const isPast = at + least > matcher.end || source + least > text.byteLength;
  return isPast || !sameGram(text, source + last, matcher.targetView, at + last);
}

/** In how many bytes an anchor better than one of this length is looked for. */
const lookOn = (length: number): number => (scan.isHurried && length >= HURRIED_LENGTH ? LOOK_ON_HURRIED : LOOK_ON);

/** In a hurry, a long anchor gives way to what is near, and to nothing else. */
const isNearlyDone = (anchor: Anchor): boolean => scan.isHurried && anchor.length >= HURRIED_LENGTH;

function weigh(matcher: Matcher, at: number, source: number): void {
  matcher.work++;
  const { baseView } = matcher;
  if (goesAlong(matcher.anchor, at, source, false) || isBeaten(matcher, baseView, source, at)) return;
  const length = matcher.extend(matcher.base, source, at, scan.from);
  matcher.work += WEIGH_WORK + (length >>> COMPARED_BITS);
  if (length < LENGTH_MIN) return;
  const start = at - matcher.back;
  const cost = addressCost(matcher, source - matcher.back, start - scan.from);
  take(matcher, at, start, source - matcher.back, length, false, cost > JUMP ? cost + JUMP_MORE : cost);
}

function weighOwn(matcher: Matcher, at: number, source: number): void {
  matcher.work++;
  const { targetView } = matcher;
  if (goesAlong(matcher.anchor, at, source, true) || isBeaten(matcher, targetView, source, at)) return;
  const length = matcher.extend(matcher.target, source, at, scan.from);
  matcher.work += WEIGH_WORK + (length >>> COMPARED_BITS);
  if (length < LENGTH_MIN) return;
  const cost = 6 + (bitsOf(at - source) >> 1);
  take(matcher, at, at - matcher.back, source - matcher.back, length, true, cost);
}

function take(
  matcher: Matcher,
  at: number,
  start: number,
  source: number,
  length: number,
  isOwn: boolean,
  cost: number,
): void {
  const { anchor } = matcher;
  const score = 4 * length - cost - 3 * (start - scan.from);
  if (anchor.length > 0 && score <= anchor.score) return;
  set(anchor, start, source, length, isOwn, score);
  scan.limit = Math.min(scan.stop, at + Math.min(lookOn(length), (length >>> 1) + 1));
  if (length >= ENOUGH || (cost <= CHEAP && length >= ENOUGH_CHEAP)) scan.at = scan.stop;
}

/** What it costs about to tell a copy's source, in quarters of a byte. */
function addressCost(matcher: Matcher, source: number, passed: number): number {
  const { lanes } = matcher.script;
  const left = lanes[0]!;
  const diagonal = left + passed;
  if (source === diagonal || source === left) return 4;
  let cost = bitsOf(Math.min(Math.abs(source - left), Math.abs(source - diagonal)));
  for (let lane = 1; lane < LANES; lane++) cost = Math.min(cost, bitsOf(Math.abs(source - lanes[lane]!)) + 3);
  return 6 + (cost >> 1);
}

/** Puts the grams around `expected` into the table, unless they are there. */
function coverNear(matcher: Matcher, expected: number): void {
  const { base, baseView, stamp } = matcher;
  const { near } = matcher.tables;
  const back = Math.max(expected - NEAR_BACK, 0);
  const low = back - (back % NEAR_STEP);
  const high = Math.min(expected + NEAR_AHEAD, Math.max(base.length - (GRAM - 1), 0));
  if (low < matcher.nearLow || low > matcher.nearHigh) {
    matcher.nearLow = low;
    matcher.nearHigh = low;
  }
  let position = matcher.nearHigh;
  matcher.work += Math.floor(Math.max(high - position, 0) / NEAR_STEP);
  for (; position < high; position += NEAR_STEP) {
    const slot = 2 * hash8(baseView, position, NEAR_BITS);
    near[slot + 1] = near[slot]!;
    near[slot] = stamp + position + 1;
  }
  matcher.nearHigh = position;
}
