import type { EndOfHold } from '../lock/hold.ts';
import type { Line } from '../sync/line.ts';
import { pushEnd } from '../sync/push.ts';
import type { EndOptions } from '../sync/push.ts';
import type { Claimed } from './claimed.ts';
import { endAfter } from './endings.ts';

/**
 * Ends a session that is locked, by a tombstone or an alias, and gives the lock back. Only where its log stands is
 * needed of it: no image.
 */
export async function destroy(
  line: Line,
  { replica, hold, end }: Claimed,
  options: Omit<EndOptions, 'token'>,
): Promise<void> {
  let how: EndOfHold = 'released';
  hold.leave();
  try {
    await pushEnd(line, replica, { token: hold.token, ...options });
  } catch (error) {
    how = endAfter(error);
    throw error;
  } finally {
    await end(how, undefined);
  }
}
