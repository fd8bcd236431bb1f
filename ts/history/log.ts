import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import type { LockOwner } from '../store/lock.ts';
import type { Token } from '../token.ts';
import type { Findings } from './finding.ts';
import { Leases } from './lease.ts';
import { Life, UNUSED } from './life.ts';
import type { Earliest, ExpiryBounds } from './life.ts';
import type { HeadMark, TailMark, Written } from './mark.ts';

export const placeOf = ({ revision, nonce }: Position): string => `${revision}:${nonce}`;
const sayPlace = ({ revision, nonce }: Position): string => `${revision} (${nonce})`;

/** A record that somebody offered, however often. */
export interface Offered extends Written {
  /** Undefined: the first of an image. */
  parent: Position | undefined;
  /**
   * What was known, the mark and the wall clock, when the earliest offer was sent that may have written it; until it is
   * acknowledged.
   */
  before: Known;
  sentBy: number;
  sentAt: number;
  /** Whether a session may begin with it, as one of its offers says. */
  starts: boolean;
  /**
   * Offers under way or of unknown outcome, by the index of their mark (undefined: none); and how many there were in
   * all.
   */
  open: Set<number> | undefined;
  offers: number;
  /** The highest token that it was offered under, for each offer may have written it. */
  under: Token;
  /** Marks of the first offer, of the answer that acknowledged it, and of what else showed that it is there. */
  readonly offeredBy: number;
  ackedBy: number | undefined;
  seenBy: number | undefined;
  /** The answer that refused it; and the world in which no late offer can succeed after that. */
  refusedBy: number | undefined;
  refusedIn: number | undefined;
  /** The world in which it was acknowledged or seen: see `Known`; undefined where an image came between. */
  branch: number | undefined;
}

/** What is certain of a session in one store. Never changed once made: a call keeps what was known when it was sent. */
export interface Known {
  /** Counts what puts another log in place of this one: images, and new lives after a deletion. */
  readonly branch: number;
  /** The highest position that was acknowledged or seen, and the mark that says so. */
  readonly acked: number;
  readonly head: Position;
  readonly headBy: number | undefined;
  readonly token: Token;
  readonly tokenBy: number | undefined;
  /** The acknowledged end. */
  readonly endedBy: number | undefined;
  /** The revision at which it was seen expired. */
  readonly expiredAt: number | undefined;
  readonly expiredBy: number | undefined;
  readonly earliest: Earliest;
  /** The mark that showed it alive when it may have expired before: what is known may be of an older life. */
  readonly lapsedBy: number | undefined;
}

export const NOTHING: Known = {
  branch: 0,
  acked: 0,
  head: ORIGIN,
  headBy: undefined,
  token: 0,
  tokenBy: undefined,
  endedBy: undefined,
  expiredAt: undefined,
  expiredBy: undefined,
  earliest: UNUSED,
  lapsedBy: undefined,
};

/** What is common to all sessions of a store. */
export interface Place {
  /** Members whose leaving was sent. */
  readonly gone: ReadonlySet<string>;
  /** The lowest token since the last promotion that was acknowledged. */
  readonly floor: Token;
  /** Sessions that somebody saw, and of which nobody knows yet that they may have been away since. */
  readonly living: Set<Log>;
}

/** What a history tells of one session in one store. */
export class Log {
  readonly id: string;
  readonly #place: Place;
  readonly findings: Findings;
  readonly records: Map<string, Offered> = new Map();
  /** The first record of the image that this branch began with: what it followed at the source is not here. */
  #begun: Offered | undefined;
  /** By parent: the record that follows it in this branch. */
  readonly #followers = new Map<string, Offered>();
  readonly leases: Leases;
  readonly life: Life;
  /**
   * Token that was reached before each request for the lock, by member and ticket: before the first call that made it.
   */
  readonly #asked = new Map<string, Token>();
  #known: Known = NOTHING;
  /**
   * Images on their way, or of unknown outcome: by the last position. Meanwhile nothing can be said of what reads show.
   */
  readonly replacing: Map<string, number> = new Map();
  /** The token that the latest image got. */
  imageToken: Token = 0;
  endsOffered = 0;
  /** The mark that first showed it. */
  #seenBy: number | undefined;
  highestOffered = 0;
  /** Wall clock of the last time at which it may have expired. */
  lapsedAt: number = -Infinity;
  /** The highest revision that was rightly seen as expired. */
  lapsedRevision = 0;

  constructor(id: string, place: Place, findings: Findings, bounds: ExpiryBounds) {
    this.id = id;
    this.#place = place;
    this.findings = findings;
    this.leases = new Leases(id, place.gone, findings);
    this.life = new Life(bounds);
  }

  get known(): Known {
    const { floor } = this.#place;
    if (this.#known.earliest !== this.life.earliest || this.#known.token < floor) {
      this.#known = { ...this.#known, earliest: this.life.earliest, token: Math.max(this.#known.token, floor) };
    }
    return this.#known;
  }

  get branch(): number {
    return this.#known.branch;
  }

  learn(more: Partial<Known>): void {
    this.#known = { ...this.#known, ...more };
  }

  reach(token: Token, mark: number): void {
    if (token > this.#known.token) this.learn({ token, tokenBy: mark });
  }

  /** The lock is asked for, perhaps again. A newer request may end with what the member was granted before. */
  ask({ member, ticket }: LockOwner): void {
    this.leases.leave(member, ticket - 1);
    const owner = `${member}/${ticket}`;
    if (!this.#asked.has(owner)) this.#asked.set(owner, this.known.token);
  }

  /** The token that had been reached when this owner first asked. */
  reachedBefore({ member, ticket }: LockOwner): Token {
    return this.#asked.get(`${member}/${ticket}`) ?? 0;
  }

  /** Images under way or of unknown outcome. */
  get images(): number {
    let sum = 0;
    for (const count of this.replacing.values()) sum += count;
    return sum;
  }

  /** Whether what was known `before` can still be compared with what is there. */
  comparable(before: Known): boolean {
    return before.branch === this.#known.branch && this.replacing.size === 0;
  }

  offered(written: Written, parent: Position | undefined, mark: number, wall: number): Offered {
    const place = placeOf(written.position);
    this.highestOffered = Math.max(this.highestOffered, written.position.revision);
    let record = this.records.get(place);
    if (record === undefined) {
      const { position, kind, digest } = written;
      record = {
        position,
        kind,
        digest,
        parent,
        before: this.known,
        sentBy: mark,
        sentAt: wall,
        starts: false,
        open: undefined,
        offers: 0,
        under: 0,
        offeredBy: mark,
        ackedBy: undefined,
        seenBy: undefined,
        refusedBy: undefined,
        refusedIn: undefined,
        branch: undefined,
      };
      this.records.set(place, record);
    } else {
      this.#offeredAgain(record, written, parent, mark);
      record.parent ??= parent;
    }
    return record;
  }

  /** Only the identical record may be offered again. */
  #offeredAgain(
    record: Offered,
    { position, kind, digest }: Written,
    parent: Position | undefined,
    mark: number,
  ): void {
    const say = (how: string) =>
      this.findings.say('doubled', this.id, `position ${sayPlace(position)} was offered ${how}`, [
        record.offeredBy,
        mark,
      ]);
    if (record.kind !== kind || record.digest !== digest) say('with two contents');
    if (parent !== undefined && record.parent !== undefined && placeOf(record.parent) !== placeOf(parent))
      say('after two parents');
  }

  /** Whether a session may begin with the record, or with one that it follows and that nobody has seen. */
  mayStart(record: Offered): boolean {
    for (let at: Offered | undefined = record; at !== undefined && at.branch !== this.branch; at = this.#before(at))
      if (at.starts) return true;
    return false;
  }

  /** A call that names no record found it alive. `over`: it may have expired before. */
  alive(over: boolean, mark: number): void {
    if (over) this.learn({ lapsedBy: mark });
  }

  /** An answer shows which life this is, to a call that was sent when `before` was known. */
  told({ lapsedBy }: Known): void {
    if (lapsedBy !== undefined && lapsedBy === this.#known.lapsedBy) this.learn({ lapsedBy: undefined });
  }

  /**
   * The record is there, and so is all that it follows. `over`: the session may have been deleted and have begun again.
   */
  present(record: Offered, mark: number, over: boolean): void {
    if (this.#seenBy === undefined) {
      this.#seenBy = mark;
      this.#place.living.add(this);
    }
    const chain: Offered[] = [];
    for (let at: Offered | undefined = record; at !== undefined && at.branch !== this.branch; at = this.#before(at))
      chain.push(at);
    const first = chain.at(-1)?.parent;
    if (over && first?.revision === 0 && this.#known.acked > 0) this.renew({});
    for (const each of chain) {
      each.branch = this.branch;
      each.seenBy ??= mark;
      this.#follow(each, mark);
    }
    const { revision } = record.position;
    if (revision <= this.#known.acked) return;
    this.learn({ acked: revision, head: record.position, headBy: mark, ...(over && { endedBy: undefined }) });
    if (revision > (this.#known.expiredAt ?? revision)) this.learn({ expiredAt: undefined, expiredBy: undefined });
  }

  /** The mark that first showed it, if it certainly lived ever since: at `wall` it still does. */
  livingSince(wall: number): number | undefined {
    const ended = this.endsOffered > 0 || this.replacing.size > 0 || this.imageToken > 0;
    return ended || this.lapsedAt > -Infinity || this.life.mayBeOver(this.life.earliest, wall)
      ? undefined
      : this.#seenBy;
  }

  #before(record: Offered): Offered | undefined {
    return record.parent && record !== this.#begun ? this.records.get(placeOf(record.parent)) : undefined;
  }

  /** An image took the place of the log. */
  replaced(image: readonly Offered[], mark: number): void {
    const last = image.at(-1);
    if (last === undefined) return;
    const { position, kind } = last;
    this.renew({ acked: position.revision, head: position, headBy: mark, endedBy: kind === 'end' ? mark : undefined });
    this.#begun = image[0];
    for (const record of image) {
      record.branch = this.branch;
      record.ackedBy ??= mark;
      if (record !== image[0]) this.#follow(record, mark);
    }
  }

  #follow(record: Offered, mark: number): void {
    this.#failedButPresent(record, mark);
    if (record.parent === undefined) return;
    const place = placeOf(record.parent);
    const rival = this.#followers.get(place);
    if (rival === undefined) this.#followers.set(place, record);
    else if (rival !== record) {
      const detail = `${sayPlace(rival.position)} and ${sayPlace(record.position)} both follow ${sayPlace(record.parent)}`;
      this.findings.sayOnce('doubled', this.id, detail, [rival.ackedBy ?? rival.seenBy, mark]);
    }
  }

  #failedButPresent(record: Offered, mark: number): void {
    const { refusedBy, refusedIn, ackedBy, open } = record;
    if (refusedBy === undefined || ackedBy !== undefined || (open !== undefined && refusedIn !== this.branch)) return;
    const detail = `record ${sayPlace(record.position)} was refused, or its call failed, and it is there`;
    this.findings.sayOnce('failed and present', this.id, detail, [refusedBy, mark]);
  }

  /**
   * The offer did nothing; `settled`: nor can another that is still on its way, unless the parent becomes the head once
   * more.
   */
  refused(record: Offered, mark: number, settled: boolean): void {
    record.refusedBy = mark;
    record.refusedIn = settled ? this.branch : undefined;
    if (record.branch === this.branch) this.#failedButPresent(record, record.seenBy ?? mark);
  }

  /** Another log stands in place of this one from now on. */
  renew(more: Partial<Known>): void {
    this.#begun = undefined;
    this.#followers.clear();
    const { acked, head, headBy, endedBy, expiredAt, expiredBy } = NOTHING;
    this.learn({ acked, head, headBy, endedBy, expiredAt, expiredBy, ...more, branch: this.branch + 1 });
  }

  /** A head that was read: its record must have been offered. Undefined: it was not, and that has been said. */
  recordAt({ position }: HeadMark, mark: number): Offered | undefined {
    const record = this.records.get(placeOf(position));
    if (record !== undefined) return record;
    const twin = this.records.get(placeOf({ revision: position.revision - 1, nonce: position.nonce }));
    if (twin === undefined) this.#broken(`nobody wrote the record at ${sayPlace(position)}`, [mark]);
    else {
      const detail = `record ${sayPlace(twin.position)} stands again at ${sayPlace(position)}`;
      this.findings.sayOnce('doubled', this.id, detail, [twin.offeredBy, mark]);
    }
    return undefined;
  }

  /**
   * The records of an answer must be those that were written, from after `since` (or the snapshot) to the head (or the
   * cut).
   */
  compareRecords(tail: TailMark, since: Position, mark: number): void {
    const { head, records, whole, next } = tail;
    if (head === undefined || head.state === 'expired') {
      if (records.length > 0)
        this.#broken(`records were given of a session that is ${head?.state ?? 'not there'}`, [mark]);
      return;
    }
    const start = whole ? head.snapshot : since.revision + 1;
    const last = next ?? head.position;
    if (records.length !== last.revision - start + 1) {
      return this.#broken(`${records.length} records were given for revisions ${start} to ${last.revision}`, [mark]);
    }
    let record = this.records.get(placeOf(last));
    for (let i = records.length - 1; i >= 0 && record !== undefined; i -= 1) {
      const place = sayPlace(record.position);
      if (record.digest !== records[i])
        this.#broken(`record ${place} was not read as it was written`, [record.offeredBy, mark]);
      if (i === 0 && whole && record.kind === 'delta')
        this.#broken(`the whole was given from the delta ${place} on`, [mark]);
      record = this.#before(record);
    }
  }

  #broken(detail: string, marks: readonly number[]): void {
    this.findings.sayOnce('broken chain', this.id, detail, marks);
  }

  /** What the judge found at the very end, against all that was promised. */
  judge(head: HeadMark | undefined, wall: number): void {
    if (this.life.mayBeOver(this.life.earliest, wall)) this.lapsedAt = wall;
    if (this.replacing.size > 0) return;
    const there = new Set<Offered>();
    let record = head && this.records.get(placeOf(head.position));
    while (record !== undefined && !there.has(record)) {
      there.add(record);
      this.#failedButPresent(record, record.offeredBy);
      record = this.#before(record);
    }
    if (head === undefined && this.lapsedAt === wall) return;
    const last = head === undefined ? 'nothing' : sayPlace(head.position);
    for (const each of this.records.values()) {
      if (each.branch !== this.branch || there.has(each)) continue;
      const how = each.ackedBy === undefined ? 'was seen' : 'was acknowledged';
      const detail = `record ${sayPlace(each.position)} ${how}, and is not in the log that ends at ${last}`;
      this.findings.say('acknowledged and missing', this.id, detail, [each.offeredBy, each.ackedBy ?? each.seenBy]);
    }
  }
}
