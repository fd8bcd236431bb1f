import { commonBack, commonPrefix } from './bytes.ts';
import { indexBase } from './gap.ts';
import { hash8, sameGram } from './gram.ts';
import type { Matcher } from './matcher.ts';
import { RECENT_BITS_WIDE } from './tables.ts';

const GRAM = 8;
/** After a match of this length in the base a careful search may go on. */
const STRONG = 64;
/** After this many misses (as a power of two) steps grow by one, and by another after as many. */
const PATIENCE_BITS = 5;

/** The last match. */
const match = { source: 0, isOwn: false };

/**
 * Goes fast through what has little in common with the base, or has cost too much work: the first match of 8 bytes is
 * taken. Makes `target[from..to]`, or as much of it until it agrees with the base for long; where that ends.
 */
export function skim(matcher: Matcher, from: number, to: number): number {
  const { base, script, target } = matcher;
  if (matcher.denseBits === 0) indexBase(matcher);
  matcher.useWide();
  let start = from;
  let at = from;
  let misses = 0;
  while (at + GRAM <= to) {
    const expected = script.left + script.newBytes + at - start;
    if (!firstMatch(matcher, at, expected)) {
      at += 1 + (misses >> PATIENCE_BITS);
      misses++;
      matcher.work++;
      continue;
    }
    const { source, isOwn } = match;
    const text = isOwn ? target : base;
    const length = commonPrefix(text, source, text.length, target, at, to);
    const back = commonBack(text, source, target, at, Math.min(at - start, source));
    script.newBytes += at - back - start;
    script.copy((isOwn ? base.length : 0) + source - back, length + back);
    matcher.work += 1 + (length >>> 3);
    at += length;
    start = at;
    misses = 0;
    if (!isOwn && length >= STRONG) return at;
  }
  script.newBytes += to - start;
  return to;
}

/**
 * Finds the gram at `target[at..]` where the base is expected to go on, or else anywhere in the base, or else in the
 * target so far, where it is noted.
 */
function firstMatch(matcher: Matcher, at: number, expected: number): boolean {
  const { baseView, stamp, tables, targetView } = matcher;
  const slot = hash8(targetView, at, RECENT_BITS_WIDE);
  const own = tables.wide[slot]! - stamp - 1;
  tables.wide[slot] = stamp + at + 1;
  if (expected + GRAM <= baseView.byteLength && sameGram(baseView, expected, targetView, at)) {
    match.isOwn = false;
    match.source = expected;
    return true;
  }
  const source = tables.dense[hash8(targetView, at, matcher.denseBits)]! - stamp - 1;
  match.isOwn = !(source >= 0 && sameGram(baseView, source, targetView, at));
  match.source = match.isOwn ? own : source;
  return !match.isOwn || (own >= 0 && own < at && sameGram(targetView, own, targetView, at));
}
