import type { Codec } from '../../codec/codec.ts';
import { HoldfastError } from '../../errors.ts';
import { describe } from '../../options.ts';
import { checkName } from '../../path.ts';
import type { Document, Encoded } from '../../session/documents.ts';
import { dateOf } from './life.ts';
import { isCode, withoutCode } from './without-code.ts';

/** What an application keeps in a session, by name, and `cookie`. */
export type SessionValues = Record<string, unknown>;

/** A session as it is given to be stored, taken down at once: what becomes of the object later is another save's. */
export interface Taken {
  readonly values: Encoded;
  /** Undefined: with the browser. */
  readonly expires: number | undefined;
}

const COOKIE = 'cookie';

/** `expires` is no part of the values: the session itself expires then. */
export function taken(codec: Codec, session: object): Taken {
  checkSession('set', session);
  const values = new Map<string, Uint8Array>();
  let expires: number | undefined;
  for (const [name, value] of Object.entries(session)) {
    if (value === undefined || isCode(value)) continue;
    checkName(name);
    const isCookie = name === COOKIE && typeof value === 'object' && value !== null;
    if (isCookie) expires = expiresOf(value);
    values.set(name, encoded(codec, isCookie ? lasting(value) : value, name));
  }
  return { values, expires };
}

export function checkSession(what: string, session: unknown): void {
  if (typeof session === 'object' && session !== null) return;
  const message = `${what}: a session is an object, not ${describe(session)}; pass what get gave, or a plain one`;
  throw new HoldfastError('ERR_INVALID', message);
}

/** A date that is none is the cookie's to complain of, when it is made. */
export function expiresOf(cookie: unknown): number | undefined {
  const { expires } = plainCookie(cookie);
  if (expires === undefined || expires === null || expires === false) return undefined;
  const time = new Date(expires as string).getTime();
  return Number.isNaN(time) ? undefined : time;
}

/** Bytes of the cookie without the date. */
export const encodedCookie = (codec: Codec, cookie: unknown): Uint8Array => encoded(codec, lasting(cookie), COOKIE);

/** `originalExpires` is made of the date again by @fastify/session, at each request. */
function lasting(cookie: unknown): object {
  const given = Object.entries(plainCookie(cookie)).filter(
    ([name, value]) => value !== undefined && name !== 'originalExpires',
  );
  return Object.fromEntries(given.map(([name, value]) => [name, name === 'expires' ? null : value]));
}

/** The classes of cookies say by `toJSON` what is theirs to keep. */
function plainCookie(cookie: unknown): SessionValues {
  if (typeof cookie !== 'object' || cookie === null) return {};
  const { toJSON } = cookie as { toJSON?: unknown };
  return (typeof toJSON === 'function' ? toJSON.call(cookie) : cookie) as SessionValues;
}

/** As it is; what has code in it as JSON would have it. */
function encoded(codec: Codec, value: unknown, name: string): Uint8Array {
  try {
    return codec.encode(value, name);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'ERR_INVALID') throw error;
    return codec.encode(withoutCode(codec, value, name), name);
  }
}

/** The values of a session, as the caller's own. */
export function given(codec: Codec, { values, replica }: Document): SessionValues {
  const session: SessionValues = {};
  for (const [name, bytes] of values) {
    const value = codec.decode(bytes, name);
    Object.defineProperty(session, name, { value, enumerable: true, configurable: true, writable: true });
  }
  const { cookie } = session;
  const expires = dateOf(replica);
  if (expires !== undefined && typeof cookie === 'object' && cookie !== null)
    (cookie as { expires: Date }).expires = expires;
  return session;
}
