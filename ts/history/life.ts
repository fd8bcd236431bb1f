import type { Expiry } from '../store/store.ts';

/**
 * Clocks of marks may differ by `slackMs`; a session may be served up to `overMs` after its expiry; a call may take
 * effect up to `lateMs` after it was sent.
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
const shorter = (a: Rule, b: Rule): Rule => ({
  idleMs: Math.min(a.idleMs, b.idleMs),
  ageMs: Math.min(a.ageMs, b.ageMs),
});
const longer = (a: Rule, b: Rule): Rule => ({
  idleMs: Math.max(a.idleMs, b.idleMs),
  ageMs: Math.max(a.ageMs, b.ageMs),
});

/** What is certain about the earliest time at which a session may expire. Never changed once made. */
export interface Earliest {
  readonly createdAt: number;
  readonly usedAt: number;
  readonly rule: Rule;
}

/** Nothing was ever sent that could have begun it. */
export const UNUSED: Earliest = { createdAt: Infinity, usedAt: Infinity, rule: NEVER };

const earliestEnd = ({ createdAt, usedAt, rule }: Earliest): number =>
  Math.min(createdAt + rule.ageMs, usedAt + rule.idleMs);

/** Between which marks, and which wall clocks, a call took effect. */
export interface Span {
  readonly sentBy: number;
  readonly sentAt: number;
  readonly heardBy: number;
  readonly wall: number;
}

/** What a call says of a session that may begin with it. */
export interface Birth {
  /** Absent: when it begins. */
  readonly createdAt?: number | undefined;
  /** Absent: it expires never. */
  readonly expiry?: Expiry | undefined;
}

interface Pending {
  readonly sentAt: number;
  readonly changes: boolean;
  /** Undefined: no session begins with it. */
  readonly birth: Birth | undefined;
}

/** Between which times one session in one store must expire, as far as a history tells. All times are wall clock ms. */
export class Life {
  /** Calls under way or of unknown outcome, by the mark that sent them. */
  readonly #pending = new Map<number, Pending>();
  readonly #bounds: ExpiryBounds;
  earliest: Earliest = UNUSED;
  #createdBefore = Infinity;
  #usedBefore = -Infinity;
  #longest = NEVER;
  #changing = 0;
  /** The mark by which the last change of the rule was heard of. */
  #settledBy = -1;
  /** How many of the pending calls may begin it. */
  #births = 0;
  /** The earliest time that a call has dated its beginning back to. */
  #oldest = Infinity;
  /** A beginning may have been done, and nobody will hear of it. */
  #strays = false;
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
  sent(call: number, wall: number, expiry: Expiry | undefined, birth?: Birth): void {
    this.#pending.set(call, { sentAt: wall, changes: expiry !== undefined, birth });
    if (birth !== undefined) this.#births += 1;
    this.#oldest = Math.min(this.#oldest, birth?.createdAt ?? Infinity);
    if (this.earliest.usedAt === Infinity)
      this.earliest = { ...this.earliest, createdAt: birth?.createdAt ?? wall, usedAt: wall };
    else this.#age(birth);
    if (expiry === undefined) return;
    this.#changing += 1;
    if (this.#changing > 1) this.#tangled = true;
    this.#widen(ruleOf(expiry));
  }

  /** It was not done, or did nothing new. */
  failed(call: number): void {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    if (pending?.birth !== undefined) this.#births -= 1;
    if (pending?.changes === true) this.#settled();
  }

  /** It was done. */
  used(call: number, span: Span, expiry: Expiry | undefined): void {
    if (expiry !== undefined) this.#rule(ruleOf(expiry), !this.#tangled && this.#isLatest(span), span);
    this.earliest = { ...this.earliest, usedAt: Math.max(this.earliest.usedAt, span.sentAt) };
    this.#usedBefore = Math.max(this.#usedBefore, span.wall);
    this.failed(call);
  }

  /** It was done, or found what was there: it may have begun with it, if that was gone. */
  perhaps(call: number, span: Span, birth: Birth | undefined): void {
    this.#usedBefore = Math.max(this.#usedBefore, span.wall);
    if (birth !== undefined) this.#stray(birth, span.wall);
    this.failed(call);
  }

  /** It was done, and it began (anew) with it; not `certainly`: perhaps it only went on. */
  began(call: number, span: Span, birth: Birth, certainly: boolean): void {
    const { createdAt, expiry } = birth;
    const latest = this.#isLatest(span);
    if (certainly && latest) {
      this.earliest = {
        createdAt: this.#orOlder(createdAt ?? span.sentAt, call),
        usedAt: span.sentAt,
        rule: this.earliest.rule,
      };
      this.#createdBefore = createdAt ?? span.wall;
    } else this.#bear(birth, span.wall);
    if (expiry === undefined) this.#rule(NEVER, certainly && latest && this.#changing === 0, span);
    this.used(call, span, expiry);
  }

  /** An image took its place: when that was used is not in it. */
  replaced(call: number, span: Span, birth: { readonly createdAt: number; readonly expiry: Expiry }): void {
    const { createdAt, expiry } = birth;
    const latest = this.#isLatest(span);
    // A clock that was set wrong may have dated it ahead.
    const oldest = latest ? this.#orOlder(createdAt, call) : Math.min(createdAt, this.earliest.createdAt);
    this.earliest = { ...this.earliest, createdAt: oldest, usedAt: Math.min(createdAt, span.wall) };
    this.#createdBefore = latest ? createdAt : Math.max(createdAt, this.#createdBefore);
    this.#usedBefore = Math.max(this.#usedBefore, span.wall);
    this.#rule(ruleOf(expiry), !this.#tangled && latest, span);
    this.failed(call);
  }

  /** Whether a call other than this may have begun it anew without anybody having heard so. */
  mayHaveBegun(but: number): boolean {
    return this.#strays || this.#bears(but);
  }

  /**
   * Whether it may have expired at a time up to `wall`, as it stood at `earliest` or stands now: its rule may have been
   * changed in between.
   */
  mayBeOver(earliest: Earliest, wall: number): boolean {
    const end = Math.min(earliestEnd(earliest), earliestEnd(this.earliest));
    return end < Infinity && wall + this.#bounds.slackMs >= end;
  }

  /** Whether it had certainly expired when `call` was sent, at `wall`, apart from what that call did. */
  mustBeOver(wall: number, call: number): boolean {
    const { overMs, lateMs } = this.#bounds;
    if (call < this.#settledBy) return false; // under which rule is unknown
    for (const [other, { sentAt, birth }] of this.#pending) {
      if (other === call) continue;
      if (!(wall > sentAt + lateMs)) return false;
      this.#usedBefore = Math.max(this.#usedBefore, sentAt + lateMs);
      if (birth !== undefined) this.#stray(birth, sentAt + lateMs);
      this.failed(other);
    }
    return wall - overMs > Math.min(this.#createdBefore + this.#longest.ageMs, this.#usedBefore + this.#longest.idleMs);
  }

  /** Whether a pending call other than this may begin it. */
  #bears(but: number): boolean {
    const own = this.#pending.get(but)?.birth === undefined ? 0 : 1;
    return this.#births > own;
  }

  /** When it began, or when it may be said to have begun by a call that is still to come. */
  #orOlder(createdAt: number, call: number): number {
    return this.#bears(call) ? Math.min(createdAt, this.#oldest) : createdAt;
  }

  /** Whether nothing that changed the rule can have come after a call: what was heard of since it was sent may. */
  #isLatest({ sentBy }: Span): boolean {
    return this.#settledBy < sentBy;
  }

  /** It has this rule now (`certainly`), or perhaps. */
  #rule(rule: Rule, certainly: boolean, { heardBy }: Span): void {
    this.#settledBy = heardBy;
    if (!certainly) return this.#widen(rule);
    this.earliest = { ...this.earliest, rule };
    this.#longest = rule;
  }

  /** A beginning may have been done before `wall`, after all that is known of it. */
  #stray(birth: Birth, wall: number): void {
    this.#strays = true;
    this.#bear(birth, wall);
    this.#widen(ruleOf(birth.expiry ?? {}));
  }

  #bear(birth: Birth, wall: number): void {
    this.#createdBefore = Math.max(this.#createdBefore, birth.createdAt ?? wall);
    this.#age(birth);
  }

  /** It may be as old as that. */
  #age(birth: Birth | undefined): void {
    const { createdAt = Infinity } = birth ?? {};
    if (createdAt < this.earliest.createdAt) this.earliest = { ...this.earliest, createdAt };
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
