import type { Hold } from '../lock/hold.ts';
import { checkOptions } from '../options.ts';
import { termsOf } from '../store/outage-terms.ts';
import type { OutageTerms } from '../store/outage-terms.ts';
import type { OnSilence } from '../sync/commit.ts';
import type { Tracked } from '../sync/compare.ts';
import type { Line } from '../sync/line.ts';
import { push } from '../sync/push.ts';
import type { PushOptions, Pushed } from '../sync/push.ts';
import type { Claimed } from './claimed.ts';
import type { SaveOptions } from './options.ts';
import { SAVE_RULES } from './rules.ts';

export interface Saving {
  readonly pushing: Promise<Pushed | undefined>;
  /** The lock is handed over in the same call, if there is one. */
  readonly release: boolean;
}

/** How a save is made. */
export interface SaveTerms extends Pick<PushOptions, 'create' | 'tells' | 'life'> {
  /** The lock's use ends with it. */
  readonly last: boolean;
  /** Undefined: it waits. */
  readonly outage: OutageTerms | undefined;
}

/** What a save says, and where it says nothing what the opening of its session did. */
export function outageOf(line: Line, opened: SaveOptions, save?: SaveOptions): OutageTerms | undefined {
  if (save !== undefined) checkOptions('save', save, SAVE_RULES);
  const waits = save?.durable ?? (opened.durable === true && save?.outage === undefined);
  return waits ? undefined : termsOf(termsOf(line.outage.terms, opened.outage), save?.outage);
}

/** Of a save that is to be in the primary before something else is done: it does not wait here. */
export const storedFirst = (terms: OutageTerms | undefined): SaveOptions | undefined =>
  terms?.policy === 'serve-local' ? { outage: { policy: 'fail' } } : undefined;

/** Begins a save under a lock. */
export function saveUnder(
  line: Line,
  { replica, hold }: Claimed,
  tracked: Tracked,
  { last, create, tells, life, outage }: SaveTerms,
): Saving {
  const release = last && hold.releaseNow();
  if (release) hold.leave();
  const lock = release ? 'release' : hold.overdue() ? 'leave' : 'renew';
  const options = { token: hold.token, lock, create, tells, life, silence: silenceOf(outage, hold) } as const;
  return { pushing: push(line, replica, tracked, options), release };
}

const WAITS: OnSilence = {};

function silenceOf(terms: OutageTerms | undefined, hold: Hold): OnSilence {
  if (terms === undefined) return WAITS;
  const { failMs, policy, queueBytes } = terms;
  return policy === 'fail' ? { failMs } : { failMs, local: { queueBytes, keep: () => hold.keep() } };
}

/** The store has the lock back already. */
export const isReleased = (release: boolean, pushed: Pushed | undefined): boolean =>
  release && pushed !== undefined && pushed.settled === undefined;
