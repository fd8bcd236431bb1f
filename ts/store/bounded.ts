import type { Clock } from '../clock.ts';
import { within } from '../deadline.ts';
import type { CallOptions, Membership, Store } from './store.ts';

/** A margin for the store's own deadline to come first. */
const MARGIN = 1.1;

/**
 * A store that holds nobody up, even one that does not keep the deadline that it is given: calls reject after
 * `timeoutMs`, or the time that they name where that is less, outcome `unknown`.
 */
export function bounded(store: Store, clock: Clock, timeoutMs: number, what: string): Store {
  const whole: CallOptions = { timeoutMs };
  const ask = <T>(options: CallOptions = whole, call: (options: CallOptions) => Promise<T>): Promise<T> =>
    within(clock, MARGIN * Math.min(timeoutMs, options.timeoutMs ?? Infinity), what, () => call(options));
  return {
    address: store.address,
    can: store.can,
    outage: store.outage,
    read: (id, request, given) => ask(given, (options) => store.read(id, request, options)),
    append: (id, append, given) => ask(given, (options) => store.append(id, append, options)),
    replace: (id, image, expected, given) => ask(given, (options) => store.replace(id, image, expected, options)),
    lock: (id, request, given) => ask(given, (options) => store.lock(id, request, options)),
    unlock: (id, who, given) => ask(given, (options) => store.unlock(id, who, options)),
    touch: (id, touch, given) => ask(given, (options) => store.touch(id, touch, options)),
    list: (query, given) => ask(given, (options) => store.list(query, options)),
    inspect: (id, given) => ask(given, (options) => store.inspect(id, options)),
    sweep: (request, given) => ask(given, (options) => store.sweep(request, options)),
    promote: (above, given) => ask(given, (options) => store.promote(above, options)),
    ping: (given) => ask(given, (options) => store.ping(options)),
    async join(listener, given) {
      const joining = store.join(listener, given);
      const membership = await ask(given, () => joining).catch((error: unknown) => {
        joining.then(
          (late) => late.leave(),
          () => undefined,
        ); // nobody learns of its name any more
        throw error;
      });
      const { member, epoch } = membership;
      // It may be of a class: what that has is not copied along.
      return {
        member,
        epoch,
        watch: (ids, options) => membership.watch(ids, options),
        leave: (options) => ask(options, () => membership.leave(options)),
      } satisfies Membership;
    },
    close: () => store.close(),
  };
}
