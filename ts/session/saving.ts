import { push } from '../sync/push.ts';
import type { PushOptions, Pushed } from '../sync/push.ts';
import type { Tracked } from '../sync/compare.ts';
import type { Line } from '../sync/line.ts';
import type { Claimed } from './claimed.ts';

export interface Saving {
  readonly pushing: Promise<Pushed | undefined>;
  /** The lock is handed over in the same call, if there is one. */
  readonly release: boolean;
}

export interface SaveTerms extends Pick<PushOptions, 'create' | 'tells' | 'life'> {
  /** The lock's use ends with it. */
  readonly last: boolean;
}

/** Begins a save under a lock. */
export function saveUnder(
  line: Line,
  { replica, hold }: Claimed,
  tracked: Tracked,
  { last, create, tells, life }: SaveTerms,
): Saving {
  const release = last && hold.releaseNow();
  if (release) hold.leave();
  const lock = release ? 'release' : hold.overdue() ? 'leave' : 'renew';
  return { pushing: push(line, replica, tracked, { token: hold.token, lock, create, tells, life }), release };
}
