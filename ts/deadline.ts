import type { Clock } from './clock.ts';
import { HoldfastError } from './errors.ts';

/**
 * Settles as what `begin` returns does (also where it throws at once), or rejects with `ERR_UNAVAILABLE`, outcome
 * `unknown`, when `ms` have passed: what hangs holds nobody up.
 */
export function within<T>(clock: Clock, ms: number, what: string, begin: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const work = Promise.resolve(begin());
    const stop = clock.after(ms, () =>
      reject(new HoldfastError('ERR_UNAVAILABLE', `${what} has not answered within ${ms} ms`, { outcome: 'unknown' })),
    );
    work.then(
      (value) => (stop(), resolve(value)),
      (error: unknown) => (stop(), reject(error as Error)),
    );
  });
}
