import { floorOf } from '../token.ts';
import type { LockOwner } from '../store/lock.ts';
import type { Token } from '../token.ts';
import {
  checkAppended,
  checkRefused,
  checkReplaced,
  releases,
  sendAppend,
  sendImage,
  settleFailed,
  settleImage,
  settleTry,
} from './append-check.ts';
import { spanOf } from './call.ts';
import type { Call, Heard, SessionCall, StorePlace } from './call.ts';
import type { Counts, Findings } from './finding.ts';
import { checkHead, checkTail } from './head-check.ts';
import type { ExpiryBounds } from './life.ts';
import { checkList, sendList } from './list-check.ts';
import { Log } from './log.ts';
import type { Answer, AnswerMark, AppendRequest, CallMark, GrantMark, ReplaceRequest, Request } from './mark.ts';

export interface CallBounds {
  readonly expiry: ExpiryBounds;
  /** Whether leases can be judged: not where the clocks of stores jump. */
  readonly leases: boolean;
}

type Asker = LockOwner & { readonly leaseMs: number };
type TouchRequest = Extract<Request, { readonly op: 'touch' }>;
type TouchAnswer = Extract<Answer, { readonly op: 'touch' }>;
type AppendAnswer = Extract<Answer, { readonly op: 'append' | 'replace' }>;

const NONE: SessionCall['records'] = [];

/** Judges the calls of stores, each session in each store by itself. */
export class CallsCheck {
  readonly #findings: Findings;
  readonly #counts: Counts;
  readonly #bounds: CallBounds;
  readonly #places = new Map<string, StorePlace>();
  /** By process and number. */
  readonly #open = new Map<string, Map<number, Call | SessionCall>>();

  constructor(findings: Findings, counts: Counts, bounds: CallBounds) {
    this.#findings = findings;
    this.#counts = counts;
    this.#bounds = bounds;
  }

  log(store: string, id: string): Log | undefined {
    return this.#places.get(store)?.logs.get(id);
  }

  sent(mark: CallMark, index: number): void {
    this.#counts.calls += 1;
    this.#counts.unknown += 1;
    const place = this.#place(mark.store);
    const { request } = mark;
    const listing =
      request.op === 'list' && request.byTerm !== true ? sendList(place, request.cursor, index) : undefined;
    const call: Call = { index, mark, place, epoch: place.epoch, floor: place.floor, listing };
    let open = this.#open.get(mark.who);
    if (open === undefined) this.#open.set(mark.who, (open = new Map()));
    open.set(mark.call, mark.id === undefined ? call : this.#sentTo(call, mark.id));
    if (request.op === 'leave') place.gone.add(request.member);
  }

  heard(mark: AnswerMark, index: number): void {
    const open = this.#open.get(mark.who);
    const call = open?.get(mark.call);
    open?.delete(mark.call);
    if (call === undefined || mark.outcome === 'unknown') return;
    this.#counts.unknown -= 1;
    const heard: Heard = { index, at: mark.at, wall: mark.wall };
    if (mark.outcome === 'failed' || mark.answer === undefined) this.#failed(call, heard);
    else if ('log' in call) this.#answered(call, call.mark.request, mark.answer, heard);
    else this.#answeredByStore(call, mark.answer, heard);
  }

  #place(name: string): StorePlace {
    let place = this.#places.get(name);
    if (place === undefined)
      this.#places.set(
        name,
        (place = { gone: new Set(), floor: 0, epoch: 0, logs: new Map(), living: new Set(), listings: new Map() }),
      );
    return place;
  }

  #sentTo(call: Call, id: string): SessionCall {
    const { place, mark, index } = call;
    let log = place.logs.get(id);
    if (log === undefined) place.logs.set(id, (log = new Log(id, place, this.#findings, this.#bounds.expiry)));
    const { request } = mark;
    const sent: SessionCall = { ...call, log, before: log.known, records: NONE, wasThere: false, ends: undefined };
    if (request.op === 'append') sendAppend(sent, request);
    else if (request.op === 'replace') sendImage(sent, request);
    else if (request.op === 'unlock') sent.ends = sendUnlock(log, request.by);
    else if (request.op === 'lock') log.ask(request);
    else if (request.op === 'touch') log.life.sent(index, mark.wall, request.expiry);
    return sent;
  }

  #failed(call: Call | SessionCall, heard: Heard): void {
    this.#counts.failed += 1;
    if (!('log' in call)) return;
    const { request } = call.mark;
    if (request.op === 'replace') return settleImage(call, heard, false);
    settleFailed(call, heard);
    if (request.op === 'append') settleTry(call, request, false);
  }

  #answeredByStore(call: Call, answer: Answer, heard: Heard): void {
    if (answer.op === 'list') return checkList(call, answer, heard, this.#findings);
    const { mark, place, epoch } = call;
    if (answer.op !== 'join' && answer.op !== 'ping' && answer.op !== 'promote') return;
    const promoted = answer.op === 'promote';
    if (answer.epoch < epoch || (promoted && answer.epoch === epoch)) {
      this.#findings.say('head went back', mark.store, `${answer.op} answers epoch ${answer.epoch} after ${epoch}`, [
        heard.index,
      ]);
    }
    place.epoch = Math.max(place.epoch, answer.epoch);
    if (promoted) place.floor = Math.max(place.floor, floorOf(answer.epoch));
  }

  #answered(call: SessionCall, request: Request, answer: Answer, heard: Heard): void {
    if (request.op === 'append' && answer.op === 'append') this.#appendAnswered(call, request, answer, heard);
    else if (request.op === 'replace' && answer.op === 'replace') this.#replaceAnswered(call, request, answer, heard);
    else if (request.op === 'lock' && answer.op === 'lock' && answer.granted) {
      this.#granted(call, request, answer.grant, heard);
      checkTail(
        call,
        answer.tail,
        request.limitBytes === 0 || request.kept === true ? undefined : request.since,
        heard,
      );
    } else if (request.op === 'lock' && answer.op === 'lock' && !answer.granted) {
      if (answer.tail !== undefined)
        checkTail(call, answer.tail, request.limitBytes === 0 ? undefined : request.since, heard);
    } else if (request.op === 'read' && answer.op === 'read') {
      checkTail(
        call,
        answer.tail,
        request.limitBytes === 0 || request.kept === true ? undefined : request.since,
        heard,
      );
    } else if (request.op === 'touch' && answer.op === 'touch') checkTouched(call, request, answer, heard);
    else if (answer.op === 'inspect') checkHead(call, answer.head, heard);
    else if (answer.op === 'unlock') checkUnlocked(call, heard);
  }

  #appendAnswered(call: SessionCall, request: AppendRequest, answer: AppendAnswer, heard: Heard): void {
    const { under, lock } = request;
    if (!answer.appended) {
      this.#counts.refused += 1;
      checkRefused(call, request, answer, heard);
      const grant = answer.why === 'locked' ? undefined : answer.grant;
      if (typeof under !== 'number' && grant !== undefined) this.#granted(call, under, grant, heard);
      return;
    }
    if (call.records[0]?.ackedBy === undefined) this.#counts.acknowledged += 1;
    const token = checkAppended(call, request, answer.token, heard);
    if (token === undefined) return;
    const { leases } = call.log;
    const released = releases(request);
    if (typeof under !== 'number') {
      this.#granted(call, under, { token, leaseLeftMs: released ? 0 : under.leaseMs }, heard);
    } else if (leases.holds(under, heard.at)) {
      if (released) call.log.reach(under + 1, heard.index);
      else if (lock === 'renew') leases.renewed(under, call.mark.at);
    }
  }

  #replaceAnswered(call: SessionCall, request: ReplaceRequest, answer: AppendAnswer, heard: Heard): void {
    const alone = call.log.images === 1;
    settleImage(call, heard, answer.appended, request.expected);
    if (answer.appended) return checkReplaced(call, request, answer.token, alone, heard);
    this.#counts.refused += 1;
    if (answer.why !== 'locked') checkHead(call, answer.tail.head, heard);
  }

  #granted(
    { log, mark }: SessionCall,
    { member, ticket, leaseMs }: Asker,
    { token, leaseLeftMs }: GrantMark,
    { index, at }: Heard,
  ): void {
    this.#counts.grants += 1;
    const grant = {
      member,
      ticket,
      token,
      leaseMs,
      sentAt: mark.at,
      heardAt: at,
      until: mark.at + leaseLeftMs,
      mark: index,
    };
    log.leases.granted(grant, log.reachedBefore(grant), this.#bounds.leases);
    log.reach(token, index);
  }
}

/** Giving a lock up is sent. Answers the token that it outdates, if it is known. */
function sendUnlock({ leases }: Log, by: { readonly token: Token } | LockOwner): Token | undefined {
  if ('member' in by) {
    leases.leave(by.member, by.ticket);
    return leases.tokenOf(by);
  }
  leases.release(by.token);
  return by.token;
}

/** Giving up what was certainly held raises the token. */
function checkUnlocked({ log, ends }: SessionCall, { index, at }: Heard): void {
  if (ends !== undefined && log.leases.holds(ends, at)) log.reach(ends + 1, index);
}

function checkTouched(call: SessionCall, request: TouchRequest, answer: TouchAnswer, heard: Heard): void {
  const { log, before, mark, index, floor } = call;
  if (!answer.touched) {
    log.life.failed(index);
    if (answer.why === 'gone' || answer.head !== undefined) checkHead(call, answer.head, heard);
    return;
  }
  const { token, renew, expiry } = request;
  const least = renew || expiry !== undefined ? before.token : floor;
  const marks = [index, heard.index];
  if (token < least) {
    const detail = `touched under ${token}, when ${least} had been reached`;
    log.findings.say('old token accepted', log.id, detail, [before.tokenBy, ...marks]);
  }
  const over = log.life.mayBeOver(before.earliest, heard.wall);
  const anew = before.lapsedBy !== undefined || (over && log.life.mayHaveBegun(index));
  if (log.comparable(before)) {
    if (over) log.lapsedAt = heard.wall;
    if (before.endedBy !== undefined && before.endedBy === log.known.endedBy && !anew) {
      log.findings.say('resurrected session', log.id, 'touched after its end', [before.endedBy, ...marks]);
    } else if (
      before.expiredAt !== undefined &&
      before.expiredAt === log.highestOffered &&
      !log.life.mayHaveBegun(index)
    ) {
      log.findings.say('resurrected session', log.id, 'touched after it had expired', [before.expiredBy, ...marks]);
    } else if (log.life.mustBeOver(mark.wall, index))
      log.findings.say('served though expired', log.id, `touched by ${mark.who}`, marks);
  }
  log.alive(over && anew, heard.index);
  log.life.used(index, spanOf(call, heard), expiry);
  if (renew) log.leases.renewed(token, mark.at);
}
