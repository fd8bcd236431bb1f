import type { Codec } from '../codec/codec.ts';
import { HoldfastError } from '../errors.ts';
import { describe, unreadable as unreadableOptions } from '../options.ts';
import { checkName, showText } from '../path.ts';
import { namedBySymbol, notDeclared } from '../tracking/state.ts';
import { unreadable } from '../tracking/unreadable.ts';
import { specOf, symbolsOf } from './definition.ts';
import type { SessionDefinition } from './definition.ts';
import { made } from './made.ts';

type Definition = SessionDefinition<object, object>;

/** Attributes' values by their names; none is undefined. */
export type Values = ReadonlyMap<string, unknown>;

/**
 * `values` as they are given, read once: but for those that are undefined, which are as good as not given. `ERR_INVALID`
 * unless they are attributes by their names, all of them in the definition, and none that is required and `isNeeded` is
 * missing. `what` takes them.
 */
export function valuesOf(
  definition: Definition,
  what: string,
  values: unknown,
  isNeeded: (name: string) => boolean,
): Values {
  const given = read(definition, what, values);
  const { attributes } = definition;
  const missing = Object.keys(attributes).filter(
    (name) => attributes[name]?.required === true && !given.has(name) && isNeeded(name),
  );
  if (missing.length === 0) return given;
  const message = `${what} needs a value for ${missing.map((name) => `'${name}'`).join(' and ')}, which the definition requires`;
  throw new HoldfastError('ERR_INVALID', message, { paths: missing.map((name) => [name]) });
}

function read(definition: Definition, what: string, values: unknown): Values {
  const given = new Map<string, unknown>();
  let at: string | undefined;
  try {
    if (!isRecord(values))
      throw new HoldfastError('ERR_INVALID', `${what} takes an object of attributes' values, not ${describe(values)}`);
    for (const symbol of symbolsOf(values)) throw namedBySymbol(symbol);
    for (const name of Object.keys(values)) {
      at = name;
      checkName(name);
      if (specOf(definition, name) === undefined) throw unexpected(what, name);
      const value = values[name];
      if (value !== undefined) given.set(name, value);
    }
    return given;
  } catch (cause) {
    if (at !== undefined) throw unreadable(cause, at, undefined);
    throw cause instanceof HoldfastError ? cause : unreadableOptions(`${what}: the values`, cause);
  }
}

const isRecord = (values: unknown): values is Readonly<Record<string, unknown>> =>
  typeof values === 'object' &&
  values !== null &&
  !Array.isArray(values) &&
  !(values instanceof Map) &&
  !(values instanceof Set);

/** What `create` takes beside the values, behind them, is easily put among them. */
function unexpected(what: string, name: string): HoldfastError {
  if (what !== 'create' || !['id', 'timeoutMs', 'holdMs', 'signal'].includes(name)) return notDeclared(name);
  const meant = name === 'id' ? "the session's id" : 'it';
  const message = `attribute '${showText(name)}' is not declared: ${meant} goes into the options, create(values, { ${name} }); declare it where an attribute is meant`;
  return new HoldfastError('ERR_INVALID', message, { paths: [[name]] });
}

/** The values that a session is created with: those given, and the defaults of immutable attributes that are not. */
export function firstValues({ attributes }: Definition, codec: Codec, given: Values): Record<string, unknown> {
  const values = [...given];
  for (const [name, { class: attributeClass, initial }] of Object.entries(attributes)) {
    if (attributeClass === 'immutable' && initial !== undefined && !given.has(name))
      values.push([name, made(codec, name, 'default', initial)]);
  }
  return Object.fromEntries(values);
}
