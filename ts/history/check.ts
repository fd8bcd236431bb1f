import { CallsCheck } from './calls.ts';
import { Findings } from './finding.ts';
import type { Counts, Finding } from './finding.ts';
import type { ExpiryBounds } from './life.ts';
import type { HeadMark, Mark } from './mark.ts';
import { UsesCheck } from './uses.ts';

/** One session in one store as a judge read it when nobody could write any more. */
export interface Final {
  readonly store: string;
  readonly id: string;
  /** Wall clock in ms of the reading. */
  readonly wall: number;
  /** Undefined: there is no such session. */
  readonly head: HeadMark | undefined;
  /**
   * The session's list; empty where there is no state. Absent: this store does not count for what uses were promised.
   */
  readonly keys?: readonly string[] | undefined;
}

export interface CheckOptions {
  /**
   * Default: 1 s between clocks, and no bound for late calls. False: clocks jump, so that no expiry is too early or too
   * late.
   */
  readonly expiry?: Partial<ExpiryBounds> | false | undefined;
  /** False where the stores' clocks jump: then leases overlap by right. Default true. */
  readonly leases?: boolean | undefined;
}

export interface Verdict {
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Counts>;
}

const SLACK_MS = 1000;
const ANY_TIME: ExpiryBounds = { slackMs: Infinity, overMs: Infinity, lateMs: Infinity };

/**
 * Judges a history in one pass, in time and memory linear in its length. Knows nothing of the product but marks. What
 * is not certain is held against nobody: a call of unknown outcome may or may not have been done.
 */
export function check(marks: Iterable<Mark>, finals: readonly Final[], options: CheckOptions = {}): Verdict {
  const findings = new Findings();
  const counts: Counts = {
    marks: 0,
    calls: 0,
    unknown: 0,
    acknowledged: 0,
    refused: 0,
    failed: 0,
    grants: 0,
    uses: 0,
    kept: 0,
  };
  const { slackMs = SLACK_MS } = options.expiry || {};
  const expiry =
    options.expiry === false ? ANY_TIME : { slackMs, overMs: slackMs, lateMs: Infinity, ...options.expiry };
  const calls = new CallsCheck(findings, counts, { expiry, leases: options.leases !== false });
  const uses = new UsesCheck(findings, counts, (store, id) => calls.log(store, id));
  for (const mark of marks) {
    feed(mark, counts.marks, calls, uses);
    counts.marks += 1;
  }
  for (const { store, id, head, wall } of finals) calls.log(store, id)?.judge(head, wall);
  uses.judge(finals.flatMap(({ store, id, head, keys }) => (keys === undefined ? [] : [{ store, id, head, keys }])));
  return { findings: findings.list, counts };
}

function feed(mark: Mark, index: number, calls: CallsCheck, uses: UsesCheck): void {
  switch (mark.mark) {
    case 'call':
      return calls.sent(mark, index);
    case 'answer':
      return calls.heard(mark, index);
    case 'use':
      return uses.began(mark, index);
    case 'saw':
      return uses.saw(mark, index);
    case 'put':
      return uses.put(mark, index);
    case 'kept':
      return uses.kept(mark, index);
    case 'done':
      return uses.done(mark, index);
  }
}
