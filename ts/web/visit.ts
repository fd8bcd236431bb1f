import { HoldfastError } from '../errors.ts';
import type { Cookies, Ticket } from './cookies.ts';
import type { Exchange } from './exchange.ts';
import type { RouteOptions } from './options.ts';
import { hashedId, newSid } from './sid.ts';
import { withStatus } from './status.ts';

/** What an eager route has open. */
export interface Opened<Session> {
  readonly session: Session;
  /** Of one of which nothing is stored yet: what the client is to be given if something is written. */
  readonly made: { readonly sid: string; isWritten(): boolean } | undefined;
}

/** One request, as far as its session goes. */
export class Visit<Session> {
  /** Undefined: the request did not come by the middleware, and has no response as far as is known. */
  exchange: Exchange | undefined;
  route: RouteOptions;
  readonly #cookies: Cookies | undefined;
  readonly #shown: () => Ticket | undefined;
  #ticket: Ticket | undefined;
  #hasLooked = false;
  #id: string | undefined;
  /** The id of a session that this request has made, or given a new id. */
  issued: string | undefined;
  /** As it was last read. */
  view: Promise<{ readonly state: unknown } | undefined> | undefined;
  /** What the route has open; `none`: there is no session. Undefined: it is not eager. */
  eager: Opened<Session> | 'none' | undefined;
  /** It was eager, and what the route had open has been saved or let go. */
  wasEager = false;
  /** Its session was destroyed in it. */
  hasEnded = false;
  #fresh: string | undefined;
  /** It shows an id that the session does not have any more. */
  isLate = false;
  /** The session of its id was there when this request asked for it. */
  #wasThere = false;

  /** `shown` is asked when the session is. Without `cookies` the client shows its ids by other ways, and is given new ones so. */
  constructor(
    shown: () => Ticket | undefined,
    cookies: Cookies | undefined,
    exchange: Exchange | undefined,
    route: RouteOptions,
  ) {
    this.#shown = shown;
    this.#cookies = cookies;
    this.exchange = exchange;
    this.route = route;
  }

  /** Of its session; undefined: it has none. */
  get id(): string | undefined {
    if (!this.#hasLooked) this.#show(this.#shown());
    return this.#id;
  }

  #show(ticket: Ticket | undefined): void {
    this.#hasLooked = true;
    this.#ticket = ticket;
    this.#id = ticket && hashedId(ticket.sid);
    this.#wasThere = false;
  }

  /** `ERR_INVALID` where the client can be given no cookie any more. */
  checkUnsent(what: string): void {
    const { exchange } = this;
    if (this.#cookies === undefined || exchange?.sent === false) return;
    const why =
      exchange === undefined
        ? 'this request has no response that is known: let the middleware see it first'
        : 'the headers of the response have gone: do it before they do';
    throw new HoldfastError('ERR_INVALID', `${what} gives the client a cookie, and ${why}; nothing was stored`);
  }

  /** The session of `shown` is there, as `id`. */
  found(id: string, shown: string): void {
    this.isLate = id !== shown;
    this.#wasThere = true;
  }

  /**
   * `ERR_CONFLICT` where the session has ended since this request saw it, as by a login or a logout beside it: the cookie
   * of another would take the place of the one that the client has got there.
   */
  checkNotEnded(what: string): void {
    if (!this.#wasThere) return;
    const message = `${what}: the session of this request has ended while it ran, or has got another id: the client is to send it again, with the cookie that it has then`;
    throw withStatus(new HoldfastError('ERR_CONFLICT', message));
  }

  /** Of the session that the request makes, if it makes one: the same however often it is asked for. */
  fresh(): string {
    return (this.#fresh ??= newSid());
  }

  /** The client's id is `sid` from now on, before the session is stored under it; returns a function that takes that back. */
  give(what: string, sid: string): () => void {
    this.checkUnsent(what);
    const { exchange, issued } = this;
    const ticket = this.#ticket;
    const cookie = exchange?.cookie;
    this.#show({ sid, isWorn: false });
    this.issued = sid;
    this.hasEnded = false;
    if (this.#cookies !== undefined && exchange !== undefined) exchange.cookie = this.#cookies.line(sid);
    return () => {
      this.#show(ticket);
      this.issued = issued;
      if (exchange?.sent === false) exchange.cookie = cookie;
    };
  }

  /** The client keeps its cookie for longer, or one of the newest secret: never one that shows an old id. */
  renew(): void {
    const { exchange } = this;
    if (this.isLate || this.#ticket?.isWorn !== true || this.#cookies === undefined || exchange?.sent !== false) return;
    this.#ticket = { ...this.#ticket, isWorn: false };
    exchange.cookie = this.#cookies.line(this.#ticket.sid);
  }

  /** The session has gone: the client is to forget its cookie. */
  forget(): void {
    const { exchange } = this;
    this.#show(undefined);
    this.issued = this.#fresh = undefined;
    this.hasEnded = true;
    if (this.#cookies !== undefined && exchange?.sent === false) exchange.cookie = this.#cookies.cleared;
  }
}
