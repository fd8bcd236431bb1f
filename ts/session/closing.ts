import { within } from '../deadline.ts';
import type { Line } from '../sync/line.ts';
import type { Unsettled } from '../sync/unsettled.ts';
import type { Claims } from './claims.ts';
import type { ClosedReport, Unstored } from './options.ts';

/** Ends what a repository has under way, all together for `timeoutMs`. Tells what had not come to an end in time. */
export async function closeAll(
  { clock, unsettled, outage, backups }: Line,
  claims: Claims,
  timeoutMs: number,
): Promise<ClosedReport> {
  const until = clock.monotonic() + timeoutMs;
  const inTime = (work: Promise<unknown>): Promise<unknown> =>
    within(clock, Math.max(1, until - clock.monotonic()), 'what is under way', () => work).catch(() => undefined);
  backups.close();
  await inTime(claims.close());
  await inTime(claims.idle());
  await inTime(Promise.all([...unsettled].map(({ done }) => done)));
  const left = [...unsettled];
  const unstored = left.filter(({ keeper }) => keeper !== undefined).map(unstoredOf);
  for (const one of left) one.stop();
  outage.stop();
  await inTime(Promise.all([claims.leave(), backups.drain()]));
  const { open } = claims;
  if (open.length === 0) claims.clear();
  const inDoubt = left.filter(({ keeper }) => keeper === undefined);
  return { unsettled: inDoubt.map(({ id }) => id), open, unstored, unfed: backups.unfed() };
}

function unstoredOf({ id, appends }: Unsettled): Unstored {
  return { id, saves: appends.length, bytes: appends.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}
