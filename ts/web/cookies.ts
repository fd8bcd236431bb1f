import { parseCookie, stringifySetCookie } from 'cookie';
import { sign, unsign } from 'cookie-signature';
import { HoldfastError } from '../errors.ts';
import { describe, flag, oneOf, positive, text } from '../options.ts';
import type { Rule, Rules } from '../options.ts';

export interface CookieOptions {
  /** Default `__Host-session`; with `domain` or `path` `__Secure-session`, and `session` where it is not `secure`. */
  readonly name?: string | undefined;
  /** Sent over HTTPS alone (browsers take localhost for as good). Default true. */
  readonly secure?: boolean | undefined;
  /** Default `lax`. */
  readonly sameSite?: 'lax' | 'strict' | 'none' | undefined;
  /** Of the site that the page is embedded in alone. Default false. */
  readonly partitioned?: boolean | undefined;
  /** Default: this host alone. */
  readonly domain?: string | undefined;
  /** Default `/`. */
  readonly path?: string | undefined;
  /**
   * The browser keeps it so long after it was last sent; it is sent again once half of that is over. Default: until the
   * browser is closed.
   */
  readonly maxAgeMs?: number | undefined;
}

export const COOKIE_RULES: Rules = {
  name: text,
  secure: flag,
  sameSite: oneOf('lax', 'strict', 'none'),
  partitioned: flag,
  domain: text,
  path: text,
  maxAgeMs: positive,
};

const SHORTEST_SECRET = 32;

/** Cookies of our name that one request may make us check the signature of. */
const MOST_OF_A_NAME = 8;

/** Shorter ones can be found by trying. */
export const SECRET: Rule = (name, value) => {
  if (typeof value === 'string' && value.length >= SHORTEST_SECRET) return;
  const found = typeof value === 'string' ? `${value.length}` : describe(value);
  throw new HoldfastError(
    'ERR_INVALID',
    `${name} must be text of at least ${SHORTEST_SECRET} characters, not ${found}: take some that are random`,
  );
};

/** What a client has shown, and we have given out. */
export interface Ticket {
  readonly sid: string;
  /** It is to be sent again: an older secret has signed it, or half of its age is over. */
  readonly isWorn: boolean;
}

type Complete = Required<Omit<CookieOptions, 'domain' | 'maxAgeMs'>> & CookieOptions;

/** Writes and reads the one cookie that has the session's id, signed. */
export class Cookies {
  readonly #options: Complete;
  readonly #secrets: readonly string[];
  /** Takes it from the client. */
  readonly cleared: string;

  /** The first of `secrets` signs, each is accepted. */
  constructor(secrets: readonly string[], options: CookieOptions) {
    const { secure = true, sameSite = 'lax', partitioned = false, path = '/', domain } = options;
    const kind = !secure ? '' : domain === undefined && path === '/' ? '__Host-' : '__Secure-';
    const { name = `${kind}session` } = options;
    this.#options = { ...options, name, secure, sameSite, partitioned, path };
    this.#secrets = secrets;
    checkTogether(this.#options);
    try {
      this.cleared = this.#line('', 0);
    } catch (cause) {
      throw new HoldfastError('ERR_INVALID', 'holdfast: cookie.name, domain or path is none that a cookie can have', {
        cause,
      });
    }
  }

  get name(): string {
    return this.#options.name;
  }

  /** Undefined: there is none that we have signed. Of several by the name, as of other paths, the first that we have. */
  read(header: string | undefined): Ticket | undefined {
    if (header === undefined || !header.includes(this.name)) return undefined;
    let ticket: Ticket | undefined;
    let looked = 0;
    for (const pair of header.split(';')) {
      const value = parseCookie(pair)[this.name];
      if (value === undefined) continue;
      ticket = this.#signed(value);
      if (ticket !== undefined || (looked += 1) === MOST_OF_A_NAME) break;
    }
    return ticket;
  }

  #signed(value: string): Ticket | undefined {
    for (const [place, secret] of this.#secrets.entries()) {
      const signed = unsign(value, secret);
      if (signed !== false) return this.#ticket(signed, place === 0);
    }
    return undefined;
  }

  #ticket(signed: string, isNewest: boolean): Ticket {
    const [sid = '', givenAt = ''] = signed.split('.');
    const { maxAgeMs } = this.#options;
    const ageMs = Date.now() - Number.parseInt(givenAt, 36) * 1000;
    return { sid, isWorn: !isNewest || (maxAgeMs !== undefined && !(ageMs < maxAgeMs / 2)) };
  }

  /** The header that gives it to the client. */
  line(sid: string): string {
    const { maxAgeMs } = this.#options;
    const value = maxAgeMs === undefined ? sid : `${sid}.${Math.floor(Date.now() / 1000).toString(36)}`;
    return this.#line(
      sign(value, this.#secrets[0] as string),
      maxAgeMs === undefined ? undefined : Math.ceil(maxAgeMs / 1000),
    );
  }

  #line(value: string, maxAge: number | undefined): string {
    const { name, secure, sameSite, partitioned, path, domain } = this.#options;
    return stringifySetCookie({
      name,
      value,
      httpOnly: true,
      secure,
      sameSite,
      partitioned,
      path,
      ...(domain === undefined ? {} : { domain }),
      ...(maxAge === undefined ? {} : { maxAge }),
    });
  }
}

/** Browsers drop, without a word, a cookie that does not keep what its name or another attribute promises. */
function checkTogether({ name, secure, sameSite, partitioned, path, domain }: Complete): void {
  const refuse = (why: string): never => {
    throw new HoldfastError('ERR_INVALID', `holdfast: ${why}`);
  };
  const kind = name.toLowerCase(); // as browsers compare it
  if (!path.startsWith('/'))
    refuse("cookie.path must begin with '/': browsers take another for none, and send the cookie to part of the site");
  if (kind.startsWith('__host-') && (!secure || domain !== undefined || path !== '/'))
    refuse("a cookie.name with '__Host-' needs cookie.secure, the path '/' and no domain: take another name");
  if (kind.startsWith('__secure-') && !secure) refuse("a cookie.name with '__Secure-' needs cookie.secure");
  if (sameSite === 'none' && !secure) refuse("cookie.sameSite 'none' needs cookie.secure");
  if (partitioned && !secure) refuse('cookie.partitioned needs cookie.secure');
}
