import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { performance } from 'node:perf_hooks';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

type AnyFunction = (this: unknown, ...given: unknown[]) => unknown;

/** Real time and real chance, as far as it can be replaced. (`new Date()` cannot: a test reads the sources for it.) */
const SOURCES: readonly (readonly [object, string, readonly string[]])[] = [
  [globalThis, '', ['setTimeout', 'setInterval', 'setImmediate']],
  [timers, 'timers.', ['setTimeout', 'setInterval', 'setImmediate']],
  [timersPromises, 'timers/promises.', ['setTimeout', 'setInterval', 'setImmediate']],
  [Date, 'Date.', ['now']],
  [Math, 'Math.', ['random']],
  [performance, 'performance.', ['now']],
  [process, 'process.', ['hrtime', 'uptime']],
  [AbortSignal, 'AbortSignal.', ['timeout']],
  [crypto, 'crypto.', ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID']],
  [Object.getPrototypeOf(globalThis.crypto) as object, 'webcrypto.', ['getRandomValues', 'randomUUID']],
];

const ours = fileURLToPath(new URL('../', import.meta.url));
const simulation = fileURLToPath(new URL('./', import.meta.url));

/**
 * Watches every source of real time and chance: `onEscape` is told what the product touched, and from where. The call
 * itself goes through. Returns a function that puts everything back.
 */
export function watchEscapes(onEscape: (escape: string) => void): () => void {
  const restores = SOURCES.flatMap(([owner, prefix, names]) =>
    names.map((name) => watch(owner, name, `${prefix}${name}`, onEscape)),
  );
  syncBuiltinESMExports();
  return () => {
    for (const restore of restores.toReversed()) restore();
    syncBuiltinESMExports();
  };
}

function watch(owner: object, name: string, label: string, onEscape: (escape: string) => void): () => void {
  const real = Object.getOwnPropertyDescriptor(owner, name) as PropertyDescriptor | undefined;
  const before = Reflect.get(owner, name) as AnyFunction;
  const watched = through(before, label, onEscape);
  // What hangs on the function (`hrtime.bigint`, promisify's symbol) is watched, or kept, too.
  for (const key of Reflect.ownKeys(before)) {
    const value = Reflect.get(before, key) as unknown;
    if (key in watched && key !== 'bigint') continue;
    Reflect.set(
      watched,
      key,
      typeof value === 'function' ? through(value as AnyFunction, `${label}.${String(key)}`, onEscape) : value,
    );
  }
  Object.defineProperty(owner, name, {
    value: watched,
    configurable: true,
    writable: true,
    enumerable: real?.enumerable ?? false,
  });
  return () => {
    if (real === undefined) Reflect.deleteProperty(owner, name);
    else Object.defineProperty(owner, name, real);
  };
}

function through(real: AnyFunction, label: string, onEscape: (escape: string) => void): AnyFunction {
  return function (this: unknown, ...given) {
    const caller = callerInProduct();
    if (caller !== undefined) onEscape(`${label} by ${caller}`);
    return Reflect.apply(real, this, given);
  };
}

/** The innermost frame of the product's own code, without the simulation; undefined: somebody else calls. */
function callerInProduct(): string | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 40;
  const lines = (new Error('who calls?').stack ?? '').split('\n');
  Error.stackTraceLimit = stackTraceLimit;
  const frame = lines.find((line) => line.includes(ours) && !line.includes(simulation));
  return frame?.slice(frame.indexOf(ours) + ours.length).replace(/\)$/, '');
}
