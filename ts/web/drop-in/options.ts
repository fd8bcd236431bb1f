import { HoldfastError } from '../../errors.ts';
import type { MergePolicy } from '../../graph/merge.ts';
import { checkOptions, describe, positive, withMethods } from '../../options.ts';
import type { Rule, Rules } from '../../options.ts';
import type { Conflict } from '../../conflict.ts';
import type { RepositoryOptions } from '../../session/options.ts';
import { REPOSITORY_RULES } from '../../session/rules.ts';
import type { Store } from '../../store/store.ts';
import type { LegacySessions } from './legacy.ts';

const PASSED_ON = ['backups', 'lock', 'tombstoneTtlMs', 'limitBytes', 'cacheBytes', 'storeTimeoutMs', 'clock'] as const;

/** As of a `SessionRepository`, but for those that are named here. */
export interface DropInOptions extends Pick<RepositoryOptions<object, object>, (typeof PASSED_ON)[number]> {
  /** Of these sessions alone. What `openStore` gives, or the promise of it. */
  readonly store: Store | PromiseLike<Store>;
  /**
   * What becomes of parts that a request has changed and others have too since it began: `fail` (its `set` calls back
   * `ERR_CONFLICT`), `mine` (the request's), `theirs`, or a function that gives the value. Default `fail`.
   */
  readonly conflicts?: 'fail' | 'mine' | 'theirs' | ((conflict: Conflict) => unknown) | undefined;
  /** A session whose cookie has no expiry ends when nothing was heard of it for so long. Default a day. */
  readonly ttlMs?: number | undefined;
  /** Where sessions were before: each is taken over when it is first asked for. */
  readonly legacy?: LegacySessions | undefined;
}

const STORE: Rule = (name, value) => {
  if (typeof (value as { then?: unknown } | null)?.then !== 'function') REPOSITORY_RULES['store']?.(name, value);
};

const CONFLICTS: Rule = (name, value) => {
  if (typeof value === 'function' || ['fail', 'mine', 'theirs'].includes(value as string)) return;
  throw new HoldfastError(
    'ERR_INVALID',
    `${name} must be 'fail', 'mine', 'theirs' or a function, not ${describe(value)}`,
  );
};

const RULES: Rules = {
  ...Object.fromEntries(PASSED_ON.map((name) => [name, REPOSITORY_RULES[name]])),
  store: STORE,
  conflicts: CONFLICTS,
  ttlMs: positive,
  legacy: withMethods('a legacy store', 'find', 'delete'),
};

export function checkDropIn(options: DropInOptions): void {
  const what = 'HoldfastSessionStore';
  checkOptions(what, options, RULES);
  if (options.store === undefined)
    throw new HoldfastError('ERR_INVALID', `${what} needs \`store\`: openStore(…), or another that keeps the contract`);
}

export const policyOf = ({ conflicts = 'fail' }: DropInOptions): MergePolicy => conflicts;

/** The options that are the repository's. Locks are not kept: a session's next request may come to another server. */
export function passedOn(options: DropInOptions): Partial<RepositoryOptions<object, object>> {
  const kept = Object.fromEntries(PASSED_ON.map((name) => [name, options[name]]));
  return { ...kept, lock: { release: 'access', ...options.lock } };
}
