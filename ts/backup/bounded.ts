import type { Clock } from '../clock.ts';
import { within } from '../deadline.ts';
import type { CallOptions, Store } from '../store/store.ts';

/** What is asked of a backup. */
export type FedStore = Pick<Store, 'read' | 'append' | 'replace' | 'touch' | 'ping'>;

/** A margin for the store's own deadline to come first. */
const MARGIN = 1.1;

/** A store that holds nobody up, even one that does not keep the deadline that it is given: calls reject after `timeoutMs`, outcome `unknown`. */
export function bounded(store: FedStore, clock: Clock, timeoutMs: number, what: string): FedStore {
  const call: CallOptions = { timeoutMs };
  const bound = <T>(promise: Promise<T>): Promise<T> => within(clock, MARGIN * timeoutMs, what, promise);
  return {
    read: (id, request) => bound(store.read(id, request, call)),
    append: (id, append) => bound(store.append(id, append, call)),
    replace: (id, image, expected) => bound(store.replace(id, image, expected, call)),
    touch: (id, touch) => bound(store.touch(id, touch, call)),
    ping: () => bound(store.ping(call)),
  };
}
