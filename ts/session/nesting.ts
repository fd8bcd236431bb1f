import { AsyncLocalStorage } from 'node:async_hooks';
import { HoldfastError, shortId } from '../errors.ts';
import { samePlace } from '../store/place.ts';
import type { Store } from '../store/store.ts';

/** A scope as the code inside it sees it. */
interface Frame {
  readonly store: Store;
  readonly session: { readonly id: string; readonly closed: boolean };
  readonly outer: Frame | undefined;
}

/** One for all repositories: each further one would cost every promise of the process. */
const frames = new AsyncLocalStorage<Frame>();

/** Runs `use` so that calls made within it, however late, are known to be inside the scope of `session`. */
export function inScope<R>(store: Store, session: Frame['session'], use: () => R): R {
  return frames.run({ store, session, outer: frames.getStore() }, use);
}

/** `ERR_DEADLOCK` for a lock that a scope around this call has, and will not give back before this call is done. */
export function checkNesting(store: Store, id: string): void {
  for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) {
    if (frame.session.id !== id || frame.session.closed || !samePlace(frame.store, store)) continue;
    const message = `session '${shortId(id)}' is in use by the scope that this call is made in, so that the call would wait for itself: use the state and the session of that scope`;
    throw new HoldfastError('ERR_DEADLOCK', message, { session: id });
  }
}
