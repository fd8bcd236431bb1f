import type { Expiry } from '../store/store.ts';

/**
 * Clocks of marks may differ by `slackMs`; a session may be served up to `overMs` after its expiry; a call may take effect up
 * to `lateMs` after it was sent.
 */
export interface ExpiryBounds {
  readonly slackMs: number;
  readonly overMs: number;
  readonly lateMs: number;
}

interface Rule {
  readonly idleMs: number;
  readonly ageMs: number;
}

const NEVER: Rule = { idleMs: Infinity, ageMs: Infinity };
const ruleOf = ({ idleMs = Infinity, ageMs = Infinity }: Expiry): Rule => ({ idleMs, ageMs });
const shorter = (a: Rule, b: Rule): Rule => ({ idleMs: Math.min(a.idleMs, b.idleMs), ageMs: Math.min(a.ageMs, b.ageMs) });
const longer = (a: Rule, b: Rule): Rule => ({ idleMs: Math.max(a.idleMs, b.idleMs), ageMs: Math.max(a.ageMs, b.ageMs) });

/** What is certain about the earliest time at which a session may expire. Never changed once made. */
export interface Earliest {
  readonly createdAt: number;
  readonly usedAt: number;
  readonly rule: Rule;
}

/** Nothing was ever sent that could have begun it. */
export const UNUSED: Earliest = { createdAt: Infinity, usedAt: Infinity, rule: NEVER };

const earliestEnd = ({ createdAt, usedAt, rule }: Earliest): number => Math.min(createdAt + rule.ageMs, usedAt + rule.idleMs);

/** A call that begins a session: when it was sent and answered, and what it says of the session's age. */
export interface Beginning {
  readonly sentAt: number;
  readonly wall: number;
  readonly createdAt?: number | undefined;
}

/** Between which times one session in one store must expire, as far as a history tells. All times are wall clock ms. */
export class Life {
  /** Calls under way or of unknown outcome, by a number of their own: when they were sent, whether they change the rule, and whether it may begin with them. */
  readonly #pending = new Map<number, { readonly sentAt: number; readonly changes: boolean; readonly begins: boolean }>();
  readonly #bounds: ExpiryBounds;
  earliest: Earliest = UNUSED;
  #createdBefore = Infinity;
  #usedBefore = -Infinity;
  #longest = NEVER;
  #changing = 0;
  /** When the last change of the rule was heard of. */
  #settledAt = -Infinity;
  /** Two changes of the rule were under way together: which came last is unknown. */
  #tangled = false;

  constructor(bounds: ExpiryBounds) {
    this.#bounds = bounds;
  }

  /** False where clocks jump: then a session that was seen expired may live on by right. */
  get judged(): boolean {
    return this.#bounds.slackMs < Infinity;
  }

  /** A call is sent that counts as a use if it succeeds. */
  sent(call: number, wall: number, expiry: Expiry | undefined, { createdAt = wall, begins = false }: { readonly createdAt?: number | undefined; readonly begins?: boolean } = {}): void {
    this.#pending.set(call, { sentAt: wall, changes: expiry !== undefined, begins });
    if (this.earliest.usedAt === Infinity) this.earliest = { ...this.earliest, createdAt, usedAt: wall };
    if (expiry === undefined) return;
    this.#changing += 1;
    if (this.#changing > 1) this.#tangled = true;
    this.#widen(ruleOf(expiry));
  }

  /** It was not done, or did nothing new. */
  failed(call: number): void {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    if (pending?.changes === true) this.#settled();
  }

  /** It was done, between `sentAt` and `wall`. */
  used(call: number, sentAt: number, wall: number, expiry: Expiry | undefined): void {
    this.earliest = { ...this.earliest, usedAt: Math.max(this.earliest.usedAt, sentAt) };
    this.#usedBefore = Math.max(this.#usedBefore, wall);
    if (expiry !== undefined) this.#settledAt = wall;
    if (expiry !== undefined && !this.#tangled) this.#rule(ruleOf(expiry));
    this.failed(call);
  }

  /** It was done, or found what was there: it may have begun with it, if that was gone. */
  perhaps(call: number, wall: number): void {
    this.#usedBefore = Math.max(this.#usedBefore, wall);
    this.#createdBefore = Math.max(this.#createdBefore, wall);
    this.failed(call);
  }

  /** It began (anew) with a call between these times, which is yet to be `used`; not `certainly`: perhaps it only went on. */
  began({ sentAt, wall, createdAt }: Beginning, expiry: Expiry | undefined, certainly: boolean): void {
    const rule = expiry === undefined ? NEVER : ruleOf(expiry);
    const alone = this.#changing === 0 && this.#settledAt < sentAt;
    if (certainly) {
      this.earliest = { createdAt: createdAt ?? sentAt, usedAt: sentAt, rule: this.earliest.rule };
      this.#createdBefore = createdAt ?? wall;
      if (alone) return this.#rule(rule);
    } else this.#createdBefore = Math.max(this.#createdBefore, wall);
    this.#widen(rule);
  }

  /** An image took its place: when that was used is not in it. */
  replaced(call: number, createdAt: number, expiry: Expiry, wall: number): void {
    this.earliest = { ...this.earliest, createdAt, usedAt: Math.min(createdAt, wall) }; // a clock that was set wrong may have dated it ahead
    this.#createdBefore = createdAt;
    this.#usedBefore = wall;
    this.#settledAt = wall;
    if (!this.#tangled) this.#rule(ruleOf(expiry));
    this.failed(call);
  }

  /** Whether a call other than this may still have begun it anew. */
  mayHaveBegun(but: number): boolean {
    for (const call of this.#pending.keys()) if (call !== but) return true;
    return false;
  }

  /** Whether it may have expired at a time up to `wall`, as it stood at `earliest` or stands now: its rule may have been changed in between. */
  mayBeOver(earliest: Earliest, wall: number): boolean {
    const end = Math.min(earliestEnd(earliest), earliestEnd(this.earliest));
    return end < Infinity && wall + this.#bounds.slackMs >= end;
  }

  /** Whether it had certainly expired at `wall`, apart from what the call `but` did. */
  mustBeOver(wall: number, but?: number): boolean {
    const { overMs, lateMs } = this.#bounds;
    if (wall <= this.#settledAt) return false; // under which rule is unknown
    for (const [call, { sentAt, begins }] of this.#pending) {
      if (call === but) continue;
      if (!(wall > sentAt + lateMs)) return false;
      this.#usedBefore = Math.max(this.#usedBefore, sentAt + lateMs);
      if (begins) this.#createdBefore = Math.max(this.#createdBefore, sentAt + lateMs);
      this.failed(call);
    }
    return wall - overMs > Math.min(this.#createdBefore + this.#longest.ageMs, this.#usedBefore + this.#longest.idleMs);
  }

  #rule(rule: Rule): void {
    this.earliest = { ...this.earliest, rule };
    this.#longest = rule;
  }

  #widen(rule: Rule): void {
    this.earliest = { ...this.earliest, rule: shorter(this.earliest.rule, rule) };
    this.#longest = longer(this.#longest, rule);
  }

  #settled(): void {
    this.#changing -= 1;
    if (this.#changing === 0) this.#tangled = false;
  }
}
