import { Backups } from '../backup/backups.ts';
import { SteadyTime, systemClock } from '../clock.ts';
import { loadDiffer } from '../diff/engine.ts';
import { Draws, systemEntropy } from '../entropy.ts';
import { Observers } from '../observe.ts';
import { bounded } from '../store/bounded.ts';
import { termsOf } from '../store/outage-terms.ts';
import type { Expiry } from '../store/store.ts';
import type { Line } from '../sync/line.ts';
import { logReader } from '../sync/log-reader.ts';
import { Outage } from '../sync/outage.ts';
import type { RepositoryOptions } from './options.ts';

/** What a repository's sessions pass through. `onRestored`: the primary has got another state of the session. */
export function lineOf<S extends object, V extends object>(
  options: RepositoryOptions<S, V>,
  onRestored: (id: string) => void,
): Line {
  const { clock = systemClock, limitBytes = 16 * 1024 * 1024 } = options;
  const observers = new Observers(clock);
  const time = new SteadyTime(clock, (jumpMs) => observers.emit('clock-jump', () => ({ jumpMs })));
  const call = { timeoutMs: options.storeTimeoutMs ?? 5000 };
  const store = bounded(options.store, clock, call.timeoutMs, 'the store');
  const differ = loadDiffer(options.engine);
  const reader = logReader({ differ, limitBytes, clock, time });
  const context = { primary: store, clock, observers, reader, call, onRestored };
  return {
    codec: options.definition.codec,
    differ,
    differencing: options.differencing ?? 'auto',
    compress: options.compress ?? 'auto',
    store,
    backups: new Backups(options.backups ?? [], context),
    limitBytes,
    expiry: ruleOf(options),
    clock,
    time,
    draws: new Draws(options.entropy ?? systemEntropy),
    observers,
    unsettled: new Set(),
    outage: new Outage(store, clock, call, termsOf(undefined, store.outage)),
    call,
  };
}

function ruleOf({
  ttlMs,
  maxAgeMs,
}: Pick<RepositoryOptions<object, object>, 'ttlMs' | 'maxAgeMs'>): Expiry | undefined {
  return ttlMs === undefined && maxAgeMs === undefined ? undefined : { idleMs: ttlMs, ageMs: maxAgeMs };
}
