/** As Node's: an error or nothing, then what was asked for. */
// oxlint-disable-next-line typescript/no-explicit-any -- as the types of both packages have it
export type Callback<T> = (error?: any, value?: T) => void;

/**
 * Tells `callback` how the work has ended, in a turn of its own, so that what it throws is its own fault. Without one
 * the promise is given, which may be dropped.
 */
export function told<T>(work: Promise<T>, callback: Callback<T> | undefined): Promise<T> {
  if (callback === undefined) work.catch(() => undefined);
  else
    work.then(
      (value) => process.nextTick(callback, null, value),
      (error: unknown) => process.nextTick(callback, error),
    );
  return work;
}
