import type { Expiry } from '../store/store.ts';

/** How expiries are judged: the clocks of the marks may differ by `slackMs`; a call may take effect up to `lateMs` after it was sent. */
export interface ExpiryBounds {
  readonly slackMs: number;
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

/** The expiry of one session in one store, as far as a history tells: between which times it must have come. All times are wall clock ms. */
export class Life {
  /** Calls that are under way or of unknown outcome, by a number of their own: when they were sent, and whether they change the rule. */
  readonly #pending = new Map<number, { readonly sentAt: number; readonly changes: boolean }>();
  readonly #bounds: ExpiryBounds;
  earliest: Earliest = UNUSED;
  #createdBefore = Infinity;
  #usedBefore = -Infinity;
  #longest = NEVER;
  #changing = 0;
  /** Two changes of the rule were under way together: which came last is unknown. */
  #tangled = false;

  constructor(bounds: ExpiryBounds) {
    this.#bounds = bounds;
  }

  /** A call is sent that counts as a use if it succeeds. */
  sent(call: number, wall: number, expiry: Expiry | undefined): void {
    this.#pending.set(call, { sentAt: wall, changes: expiry !== undefined });
    if (this.earliest.usedAt === Infinity) this.earliest = { ...this.earliest, createdAt: wall, usedAt: wall };
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
    if (expiry !== undefined && !this.#tangled) this.#rule(ruleOf(expiry));
    this.failed(call);
  }

  /** It began (anew) with a call between these times, which was `used` before; not `certainly`: perhaps it only went on. */
  began(sentAt: number, wall: number, expiry: Expiry | undefined, certainly: boolean): void {
    const rule = expiry === undefined ? NEVER : ruleOf(expiry);
    if (certainly) {
      this.earliest = { createdAt: sentAt, usedAt: sentAt, rule: this.earliest.rule };
      this.#createdBefore = wall;
      if (this.#changing === 0) return this.#rule(rule);
    } else this.#createdBefore = Math.max(this.#createdBefore, wall);
    this.#widen(rule);
  }

  /** An image took its place: when that was used is not in it. */
  replaced(createdAt: number, expiry: Expiry, wall: number): void {
    this.earliest = { createdAt, usedAt: createdAt, rule: this.earliest.rule };
    this.#createdBefore = createdAt;
    this.#usedBefore = wall;
    if (this.#changing === 0) this.#rule(ruleOf(expiry));
    else this.#widen(ruleOf(expiry));
  }

  /** Whether it may have expired at a time up to `wall`, as it stood at `earliest`. */
  mayBeOver(earliest: Earliest, wall: number): boolean {
    const end = earliestEnd(earliest);
    return end < Infinity && wall + this.#bounds.slackMs >= end;
  }

  /** Whether it had certainly expired at `wall`, apart from what the call `but` did. */
  mustBeOver(wall: number, but?: number): boolean {
    const { slackMs, lateMs } = this.#bounds;
    for (const [call, { sentAt }] of this.#pending) {
      if (call === but) continue;
      if (!(wall > sentAt + lateMs)) return false;
      this.#usedBefore = Math.max(this.#usedBefore, sentAt + lateMs);
      this.failed(call);
    }
    return wall - slackMs > Math.min(this.#createdBefore + this.#longest.ageMs, this.#usedBefore + this.#longest.idleMs);
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
