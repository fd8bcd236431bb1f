import type { LockOwner } from '../store/lock.ts';
import { epochOf } from '../token.ts';
import type { Token } from '../token.ts';
import type { Findings } from './finding.ts';

/** Who was granted a lock, as told by the call that asked. */
export interface Granted {
  readonly member: string;
  readonly ticket: number;
  readonly token: Token;
  readonly leaseMs: number;
  /**
   * Monotonic ms: when it was asked for, when the answer came, until when the lock is certainly held if it is not given
   * up.
   */
  readonly sentAt: number;
  readonly heardAt: number;
  readonly until: number;
  /** The mark of the answer. */
  readonly mark: number;
}

/**
 * The lock of one session. Only what is certain counts: a lease runs from the *sending* of the request that brought or
 * renewed it, and ends for the judge when giving it up is *sent*. So no delay of a message makes two leases overlap
 * that did not.
 */
export class Leases {
  readonly #id: string;
  readonly #findings: Findings;
  readonly #owners = new Map<Token, Granted>();
  readonly #released = new Set<Token>();
  /** Highest ticket up to which each member has left. */
  readonly #left = new Map<string, number>();
  /**
   * By owner: appends under way or of unknown outcome that ask for the lock themselves, and may end with giving it up.
   */
  readonly #tries = new Map<string, number>();
  /** Images under way, each of which sets the lock free whoever has it; and when the last one was heard of. */
  #freeing = 0;
  #freedAt = -Infinity;
  /** Members of this store that have gone. */
  readonly #gone: ReadonlySet<string>;
  /** The grant with the highest token. */
  #holder: Granted | undefined;

  constructor(id: string, gone: ReadonlySet<string>, findings: Findings) {
    this.#id = id;
    this.#gone = gone;
    this.#findings = findings;
  }

  /** `reached`: the highest token known before the first request of this ticket was sent. */
  granted(grant: Granted, reached: Token, judged: boolean): void {
    const { token, member, ticket } = grant;
    const before = this.#owners.get(token);
    if (before === undefined) {
      this.#owners.set(token, grant);
      if (token <= reached)
        this.#twice(`token ${token} was granted to ${member} when ${reached} had been reached`, [grant.mark]);
    } else if (before.member !== member || before.ticket !== ticket) {
      this.#twice(`token ${token} was granted to ${before.member} and to ${member}, or for two of its requests`, [
        before.mark,
        grant.mark,
      ]);
    }
    if (judged) this.#compare(grant);
    const holder = this.#holder;
    if (holder === undefined || token > holder.token) this.#holder = grant;
    else if (token === holder.token) this.#holder = { ...holder, until: Math.max(holder.until, grant.until) };
  }

  /** Whether the latest grant that is known has this token, and its lease has not ended by itself. */
  holds(token: Token, at: number): boolean {
    return this.#holder?.token === token && at < this.#holder.until;
  }

  /** The holder was heard to renew with a call that was sent at `sentAt`. */
  renewed(token: Token, sentAt: number): void {
    const holder = this.#holder;
    if (holder?.token === token) this.#holder = { ...holder, until: Math.max(holder.until, sentAt + holder.leaseMs) };
  }

  /** Giving up is sent: from now on the lock may be another's. */
  release(token: Token): void {
    this.#released.add(token);
  }

  leave(member: string, ticket: number): void {
    this.#left.set(member, Math.max(this.#left.get(member) ?? 0, ticket));
  }

  /** An append is sent that asks for the lock itself. */
  tries({ member, ticket }: LockOwner): void {
    const owner = `${member}/${ticket}`;
    this.#tries.set(owner, (this.#tries.get(owner) ?? 0) + 1);
  }

  /** It was answered; `gaveUp`: the lock is not the owner's any more. */
  tried({ member, ticket }: LockOwner, gaveUp: boolean): void {
    const owner = `${member}/${ticket}`;
    const left = (this.#tries.get(owner) ?? 1) - 1;
    if (left > 0) this.#tries.set(owner, left);
    else this.#tries.delete(owner);
    if (gaveUp) this.leave(member, ticket);
  }

  freeing(): void {
    this.#freeing += 1;
  }

  freed(at: number): void {
    this.#freeing -= 1;
    this.#freedAt = at;
  }

  /** The token of the latest grant, if this owner has it: giving it up raises the token above. */
  tokenOf({ member, ticket }: LockOwner): Token | undefined {
    const holder = this.#holder;
    return holder !== undefined && holder.member === member && holder.ticket <= ticket ? holder.token : undefined;
  }

  #twice(detail: string, marks: readonly number[]): void {
    this.#findings.sayOnce('token granted twice', this.#id, detail, marks);
  }

  #givenUp(grant: Granted): boolean {
    if (this.#freeing > 0 || this.#freedAt >= grant.sentAt || this.#gone.has(grant.member)) return true;
    if (this.#tries.has(`${grant.member}/${grant.ticket}`)) return true;
    return this.#released.has(grant.token) || (this.#left.get(grant.member) ?? -1) >= grant.ticket;
  }

  /** Of two grants the one with the lower token came first; an outdated epoch ends it at once. */
  #compare(grant: Granted): void {
    const other = this.#holder;
    if (other === undefined || other.member === grant.member) return;
    const [first, second] = other.token <= grant.token ? [other, grant] : [grant, other];
    if (epochOf(first.token) < epochOf(second.token) || this.#givenUp(first) || second.heardAt >= first.until) return;
    const left = `for ${(first.until - second.heardAt).toFixed(1)} ms more`;
    const detail = `${second.member} has it under token ${second.token}, ${first.member} under ${first.token} ${left}`;
    this.#findings.say('lock held by two', this.#id, detail, [first.mark, second.mark]);
  }
}
