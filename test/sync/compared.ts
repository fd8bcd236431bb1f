import type { Image } from '../../ts/log/image.ts';
import { capture, differenceOf } from '../../ts/sync/compare.ts';
import type { Difference, Tracked } from '../../ts/sync/compare.ts';
import type { Line } from '../../ts/sync/line.ts';

/** How what was touched differs from an image that has all bases; undefined: it does not. */
export function compare(line: Line, image: Image, tracked: Tracked): Difference | undefined {
  const captured = capture(line, image, tracked);
  return captured && differenceOf(line, image, captured);
}
