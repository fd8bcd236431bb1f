import { AsyncLocalStorage } from 'node:async_hooks';
import { HoldfastError, shortId } from '../errors.ts';
import { samePlace } from '../store/place.ts';
import type { Store } from '../store/store.ts';

/** A scope as the code inside it sees it. Whatever is started there, and goes on for long, keeps it. */
export interface Frame {
  readonly store: Store;
  /** Undefined once the scope has ended. */
  session: { readonly id: string; readonly closed: boolean } | undefined;
  /** It has the session's lock all the time. */
  readonly locked: boolean;
  outer: Frame | undefined;
}

/** One for all repositories: each further one would cost every promise of the process. */
const frames = new AsyncLocalStorage<Frame>();

/** The scope of `session`, in the one around this call. Its end is the caller's to note. */
export const frameOf = (store: Store, session: Frame['session'], locked: boolean): Frame => ({
  store,
  session,
  locked,
  outer: around(),
});

/**
 * The scopes around this call that have not ended. Those that have are passed over for good: a job that plans the next
 * from within its scope would be in one more each time.
 */
function around(): Frame | undefined {
  const innermost = unended(frames.getStore());
  for (let frame = innermost; frame !== undefined; frame = frame.outer) frame.outer = unended(frame.outer);
  return innermost;
}

function unended(frame: Frame | undefined): Frame | undefined {
  let found = frame;
  while (found !== undefined && (found.session === undefined || found.session.closed)) found = found.outer;
  return found;
}

/** Runs `use` so that calls made within it, however late, are known to be inside the scope. */
export const inScope = <R>(frame: Frame, use: () => R): R => frames.run(frame, use);

/** `ERR_DEADLOCK` for a lock that a scope around this call has, and will not give back before this call is done. */
export function checkNesting(store: Store, id: string): void {
  for (let frame = around(); frame !== undefined; frame = frame.outer) {
    const { session } = frame;
    if (!frame.locked || session?.id !== id || !samePlace(frame.store, store)) continue;
    const message = `session '${shortId(id)}' is in use by the scope that this call is made in, so that the call would wait for itself: use the state and the session of that scope`;
    throw new HoldfastError('ERR_DEADLOCK', message, { session: id });
  }
}
