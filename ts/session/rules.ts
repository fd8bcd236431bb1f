import type { BackupOptions } from '../backup/backup.ts';
import { HoldfastError } from '../errors.ts';
import { DEFAULT_LEASE_MS, DEFAULT_MAX_HOLD_MS } from '../lock/member-locks.ts';
import {
  atLeast,
  atMost,
  checkOptions,
  clock,
  count,
  flag,
  func,
  listOf,
  nested,
  notNegative,
  oneOf,
  positive,
  signal,
  text,
  timeout,
  withMethods,
} from '../options.ts';
import type { Rule, Rules } from '../options.ts';
import { outageRule } from '../store/outage-terms.ts';
import { samePlace } from '../store/place.ts';
import type { Store } from '../store/store.ts';
import { KEPT_BASES } from '../sync/base.ts';
import { DIFFERENCING } from '../sync/differencing.ts';
import type { AnyUse, RepositoryOptions } from './options.ts';

const LONGEST_GRACE_MS = 60_000;

export const ACQUIRE_RULES: Rules = { timeoutMs: timeout, holdMs: positive, signal };
export const SAVE_RULES: Rules = { outage: outageRule, durable: flag };
export const FIND_RULES: Rules = { ...ACQUIRE_RULES, ...SAVE_RULES };
const ACCESS_RULES: Rules = { ...FIND_RULES, mode: oneOf('exclusive', 'optimistic', 'read') };
export const USE_RULES: Rules = { ...ACCESS_RULES, create: undefined };
export const SCOPE_RULES: Rules = { ...USE_RULES, retry: count(0) };
export const CREATE_RULES: Rules = { ...FIND_RULES, id: text };
export const CHANGE_ID_RULES: Rules = { ...ACQUIRE_RULES, graceMs: atMost(LONGEST_GRACE_MS) };

const IS_STORE: Rule = withMethods(
  'a store',
  'read',
  'append',
  'replace',
  'lock',
  'unlock',
  'touch',
  'join',
  'list',
  'inspect',
  'sweep',
  'promote',
  'ping',
  'close',
);

/** What `openStore` gives has to be awaited. */
const STORE: Rule = (name, value) => {
  if (value instanceof Promise)
    throw new HoldfastError('ERR_INVALID', `${name} must be a store, not the promise of one: await openStore(…)`);
  if (typeof value === 'string')
    throw new HoldfastError('ERR_INVALID', `${name} must be a store, not the address of one: await openStore(…)`);
  IS_STORE(name, value);
};

export const BACKUP_RULES: Rules = { store: STORE, ack: oneOf('sync', 'async'), timeoutMs: positive };
const BACKUP: Rule = (name, value) => {
  if (typeof (value as Partial<Store> | null)?.append === 'function')
    throw new HoldfastError('ERR_INVALID', `${name} must be options, not a store itself: { store, ack?, timeoutMs? }`);
  nested(BACKUP_RULES)(name, value);
};
export const LOCK_RULES: Rules = {
  release: oneOf('lazy', 'access'),
  // A lease that is over before its answer is there is asked for again and again.
  leaseMs: atLeast(1),
  minHoldMs: notNegative,
  maxHoldMs: positive,
};

export const REPOSITORY_RULES: Rules = {
  store: STORE,
  definition: undefined,
  backups: listOf(BACKUP),
  lock: nested(LOCK_RULES),
  autosave: nested({ everyMs: atLeast(1) }),
  saveMode: oneOf('write', 'mutable-access', 'access', 'all'),
  onSaved: func,
  differencing: oneOf(...DIFFERENCING),
  base: oneOf(...KEPT_BASES),
  engine: oneOf('native', 'js'),
  compress: oneOf('auto', 'off'),
  ttlMs: positive,
  maxAgeMs: atLeast(1),
  tombstoneTtlMs: atLeast(1),
  limitBytes: positive,
  cacheBytes: positive,
  storeTimeoutMs: positive,
  clock,
  entropy: withMethods('a source of random bytes', 'fill'),
};

/** `ERR_INVALID` for options of one mode with another. */
export function checkMode<V extends object>(what: string, { mode, create, holdMs, retry = 0 }: AnyUse<V>): void {
  const refuse = (why: string): never => {
    throw new HoldfastError('ERR_INVALID', `${what}: ${why}`);
  };
  if (mode === 'read' && create !== undefined && (create as unknown) !== false) refuse("mode 'read' creates nothing");
  if (mode === 'read' && holdMs !== undefined) refuse("mode 'read' holds no lock: leave holdMs out");
  if (mode !== 'optimistic' && retry > 0)
    refuse("retry is for mode 'optimistic': no other is refused for what others save");
}

/** `ERR_INVALID` for whatever a repository cannot work with. */
export function checkRepository(options: RepositoryOptions<object, object>): void {
  const what = 'SessionRepository';
  checkOptions(what, options, REPOSITORY_RULES);
  const { store, definition, backups = [], lock = {}, ttlMs } = options;
  if (store === undefined)
    throw new HoldfastError(
      'ERR_INVALID',
      `${what} needs \`store\`: await openStore(…), or another that keeps the contract`,
    );
  if (!(definition?.drop instanceof Set))
    throw new HoldfastError('ERR_INVALID', `${what} needs \`definition\`: what defineSession() returns`);
  backups.forEach((backup, index) =>
    checkBackup([store, ...backups.slice(0, index).map((other) => other.store)], backup, index),
  );
  const { minHoldMs = 0, maxHoldMs = DEFAULT_MAX_HOLD_MS } = lock;
  if (minHoldMs > maxHoldMs)
    throw new HoldfastError(
      'ERR_INVALID',
      `${what}: lock.minHoldMs (${minHoldMs}) must not be more than lock.maxHoldMs (${maxHoldMs}): who waits would be let in only after a use may be fenced off; lower it, or raise lock.maxHoldMs`,
    );
  if (ttlMs !== undefined) checkIdle(`${what}: ttlMs`, ttlMs, lock.leaseMs ?? DEFAULT_LEASE_MS);
}

function checkBackup(others: readonly Store[], { store }: BackupOptions, index: number): void {
  if (store === undefined) throw new HoldfastError('ERR_INVALID', `backups[${index}] needs a store: { store, ack? }`);
  const same = others.findIndex((other) => samePlace(store, other));
  if (same >= 0)
    throw new HoldfastError(
      'ERR_INVALID',
      `backups[${index}] is ${same === 0 ? 'the primary' : `backups[${same - 1}]`} itself: a backup must be another store`,
    );
}

/**
 * While a use goes on, its session's idle time is renewed with its lease, within a third of that: it must not expire in
 * between.
 */
export function checkIdle(name: string, idleMs: unknown, leaseMs: number): void {
  positive(name, idleMs);
  if ((idleMs as number) >= leaseMs / 2) return;
  throw new HoldfastError(
    'ERR_INVALID',
    `${name} must be at least half of lock.leaseMs (${leaseMs}), not ${String(idleMs)}: a session in use would expire before its lease is renewed; raise it, or lower lock.leaseMs`,
  );
}
