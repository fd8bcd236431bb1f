import { HoldfastError, nameOf } from './errors.ts';
import { showText } from './path.ts';

/**
 * Throws `ERR_INVALID` for a value that the option `name` must not have. Never asked about undefined, which is as good
 * as absent.
 */
export type Rule = (name: string, value: unknown) => void;

/** What options there are; undefined: judged elsewhere. */
export type Rules = Readonly<Record<string, Rule | undefined>>;

/**
 * The one check of options: `ERR_INVALID` for a name that `rules` do not have, and for a value against its rule. `what`
 * begins the message.
 */
export function checkOptions(what: string, options: unknown, rules: Rules): void {
  checkGiven(what, '', options, rules);
}

function checkGiven(what: string, prefix: string, options: unknown, rules: Rules): void {
  let at = prefix === '' ? 'options' : prefix.slice(0, -1);
  try {
    if (typeof options !== 'object' || options === null || Array.isArray(options))
      refuse(`${what}: ${at}`, 'an object of options', options);
    const given = options as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(given)) {
      at = `${prefix}${name}`;
      const value = given[name];
      if (!Object.hasOwn(rules, name)) throw unknownOption(what, prefix, name, Object.keys(rules));
      if (value !== undefined) rules[name]?.(`${what}: ${at}`, value);
    }
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw unreadable(`${what}: ${at}`, cause);
  }
}

/** A getter, a Proxy, or a method that was to be tried (a clock's) threw. */
export function unreadable(what: string, cause: unknown): HoldfastError {
  const message = `${what} could not be read (${nameOf(cause)}, see \`cause\`): pass a plain object`;
  return new HoldfastError('ERR_INVALID', message, { cause });
}

function unknownOption(what: string, prefix: string, name: string, known: readonly string[]): HoldfastError {
  const meant = known.find(
    (other) => other.toLowerCase().startsWith(name.toLowerCase()) || name.toLowerCase().startsWith(other.toLowerCase()),
  );
  const hint = meant === undefined ? `there are ${known.join(', ')}` : `is '${prefix}${meant}' meant?`;
  return new HoldfastError('ERR_INVALID', `${what}: there is no option '${prefix}${name}'; ${hint}`);
}

function refuse(name: string, expected: string, value: unknown): never {
  throw new HoldfastError('ERR_INVALID', `${name} must be ${expected}, not ${describe(value)}`);
}

/** In a few words, without its content: it may be a user's. */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  if (typeof value !== 'object') return typeof value === 'string' ? 'text' : `a ${typeof value}`;
  try {
    if (Array.isArray(value)) return 'an array';
    const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
    if (typeof name !== 'string' || name === 'Object' || name === '') return 'another object';
    return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`;
  } catch {
    return 'an object that cannot be read'; // a Proxy that was revoked, or throws
  }
}

const rule =
  (expected: string, holds: (value: unknown) => boolean): Rule =>
  (name, value) => {
    if (!holds(value)) refuse(name, expected, value);
  };

const hasMethods = (value: unknown, names: readonly string[]): boolean =>
  typeof value === 'object' &&
  value !== null &&
  names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');

/** A number of milliseconds or bytes above 0. */
export const positive: Rule = rule('a number above 0', (value) => Number.isFinite(value) && (value as number) > 0);
export const atLeast = (least: number): Rule =>
  rule(`a number from ${least} on`, (value) => Number.isFinite(value) && (value as number) >= least);
/** As `positive`, or 0. */
export const notNegative: Rule = atLeast(0);
/** As a number that was counted down: none is left below 0. */
export const milliseconds: Rule = rule(
  'a number of milliseconds above 0',
  (value) => typeof value === 'number' && !Number.isNaN(value),
);
export const timeout: Rule = rule(
  'a number of milliseconds, 0 or Infinity',
  (value) => typeof value === 'number' && value >= 0,
);
export const flag: Rule = rule('true or false', (value) => typeof value === 'boolean');
export const text: Rule = rule('text', (value) => typeof value === 'string');
export const func: Rule = rule('a function', (value) => typeof value === 'function');
export const signal: Rule = rule(
  'an AbortSignal',
  (value) =>
    hasMethods(value, ['addEventListener', 'removeEventListener']) &&
    typeof (value as { aborted?: unknown }).aborted === 'boolean',
);

export const count = (least: number): Rule =>
  rule(`a whole number from ${least} on`, (value) => Number.isSafeInteger(value) && (value as number) >= least);
export const atMost = (most: number): Rule =>
  rule(
    `a number from 0 to ${most}`,
    (value) => Number.isFinite(value) && (value as number) >= 0 && (value as number) <= most,
  );
/** What was given instead is shown: such an option is written in the code, and is no user's. */
export const oneOf =
  (...choices: readonly string[]): Rule =>
  (name, value) => {
    if (choices.includes(value as string)) return;
    const found = typeof value === 'string' ? `'${showText(value)}'` : describe(value);
    const expected = choices.map((choice) => `'${choice}'`).join(', ');
    throw new HoldfastError('ERR_INVALID', `${name} must be one of ${expected}, not ${found}`);
  };
export const withMethods =
  (what: string, ...names: readonly string[]): Rule =>
  (name, value) => {
    const missing = names.filter((method) => !hasMethods(value, [method]));
    if (missing.length > 0) refuse(name, `${what} with the methods ${missing.join(', ')}`, value);
  };

/** One whose time is no number would make every wait endless. */
export const clock: Rule = (name, value) => {
  withMethods('a clock', 'now', 'monotonic', 'after')(name, value);
  const { monotonic, now } = value as { monotonic: () => unknown; now: () => unknown };
  for (const [method, time] of [
    ['monotonic', monotonic.call(value)],
    ['now', now.call(value)],
  ]) {
    if (!Number.isFinite(time)) refuse(`${name}.${String(method)}()`, 'a number of milliseconds', time);
  }
};

export const listOf =
  (element: Rule): Rule =>
  (name, value) => {
    if (!Array.isArray(value)) refuse(name, 'an array', value);
    value.forEach((one: unknown, index) => element(`${name}[${index}]`, one));
  };

/** Options inside an option. */
export const nested =
  (rules: Rules): Rule =>
  (name, value) => {
    const at = name.indexOf(': ') + 2;
    checkGiven(name.slice(0, at - 2), `${name.slice(at)}.`, value, rules);
  };
