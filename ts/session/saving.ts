import { push } from '../sync/push.ts';
import type { Pushed } from '../sync/push.ts';
import type { Tracked } from '../sync/compare.ts';
import type { Line } from '../sync/line.ts';
import type { Claimed } from './claimed.ts';

export interface Saving {
  readonly pushing: Promise<Pushed | undefined>;
  /** The lock is handed over in the same call, if there is one. */
  readonly release: boolean;
}

/** Begins a save under a lock. `last`: the lock's use ends with it. `tells`: somebody may ask what it has changed. */
export function saveUnder(
  line: Line,
  { replica, hold }: Claimed,
  tracked: Tracked,
  { last, create, tells }: { readonly last: boolean; readonly create: boolean; readonly tells: boolean },
): Saving {
  const release = last && hold.releaseNow();
  if (release) hold.leave();
  const lock = release ? 'release' : hold.overdue() ? 'leave' : 'renew';
  return { pushing: push(line, replica, tracked, { token: hold.token, lock, create, tells }), release };
}
