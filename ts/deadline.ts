import type { Clock } from './clock.ts';
import { HoldfastError } from './errors.ts';

/**
 * Settles as `promise` does, or rejects with `ERR_UNAVAILABLE`, outcome `unknown`, when `ms` have passed: what hangs
 * holds nobody up.
 */
export function within<T>(clock: Clock, ms: number, what: string, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = clock.after(ms, () =>
      reject(new HoldfastError('ERR_UNAVAILABLE', `${what} has not answered within ${ms} ms`, { outcome: 'unknown' })),
    );
    promise.then(
      (value) => (stop(), resolve(value)),
      (error: unknown) => (stop(), reject(error as Error)),
    );
  });
}
