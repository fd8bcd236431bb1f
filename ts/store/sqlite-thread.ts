// The helper thread of one store without the addon: reads and writes as it is asked. workerData: how to open.
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { findModule } from './sqlite-driver.ts';
import { SqliteGround } from './sqlite-ground.ts';
import type { Answer, Reading, Request, Writing } from './sqlite-wire.ts';

export interface Opening {
  readonly module: string;
  readonly dir: string;
  readonly acceptOlder: boolean;
  readonly dueMs: number;
  readonly ticket: number;
  /** How many questions were begun that the other side has no answer to, by the remainder of their tickets. */
  readonly begun: Int32Array;
}

export interface Question {
  readonly ticket: number;
  /** Undefined: it is to be closed. */
  readonly request: Request | undefined;
  /** On the system's monotonic clock, which all threads share. */
  readonly dueMs: number;
}

/** An error loses its class on the way. */
export interface Failed {
  readonly code: ErrorCode;
  readonly message: string;
  readonly outcome: 'none' | 'unknown';
}

export interface Reply {
  readonly ticket: number;
  readonly answer?: Answer;
  readonly failed?: Failed;
}

const port = parentPort as MessagePort;
const { module, dir, acceptOlder, dueMs, ticket, begun } = workerData as Opening;
let ground: SqliteGround | undefined;
let waiting: Question[] = [];

const failedBy = (error: unknown): Failed => {
  if (!(error instanceof HoldfastError))
    return { code: 'ERR_UNAVAILABLE', message: `SQLite: ${String(error)}`, outcome: 'unknown' };
  return { code: error.code, message: error.message, outcome: error.outcome === 'unknown' ? 'unknown' : 'none' };
};

function attempt(tickets: readonly number[], run: () => readonly Answer[]): Reply[] {
  try {
    const answers = run();
    return tickets.map((each, index) => ({ ticket: each, answer: answers[index] as Answer }));
  } catch (error) {
    return tickets.map((each) => ({ ticket: each, failed: failedBy(error) }));
  }
}

const BUSY: Failed = {
  code: 'ERR_UNAVAILABLE',
  message: 'SQLite: others kept the store busy until the time of the call was over; nothing was written',
  outcome: 'none',
};

/** Those whose time is not over; the others are told. */
function timely(questions: readonly Question[], replies: Reply[]): Question[] {
  const now = systemClock.monotonic();
  for (const { ticket: each, dueMs: due } of questions) if (due <= now) replies.push({ ticket: each, failed: BUSY });
  return questions.filter(({ dueMs: due }) => due > now);
}

const READS: readonly Request['kind'][] = ['fetch', 'page', 'lookUp', 'check'];
const isReading = (request: Request | undefined): request is Reading =>
  request !== undefined && READS.includes(request.kind);

const count = (each: number, change: number): void => void Atomics.add(begun, each % begun.length, change);

/** Before anybody looks at the clock: what is given up when its time is over, and does not count here, never happens. */
function takeAll(): readonly Question[] {
  const taken = waiting;
  waiting = [];
  for (const { ticket: each } of taken) count(each, 1);
  return taken;
}

function putBack(questions: readonly Question[]): void {
  waiting.push(...questions);
  for (const { ticket: each } of questions) count(each, -1);
}

/** What came together is written together, then read. */
function work(): void {
  const open = ground as SqliteGround;
  const replies: Reply[] = [];
  const questions = timely(takeAll(), replies);
  write(
    open,
    questions.filter(({ request }) => request?.kind === 'draft' || request?.kind === 'raise'),
    replies,
  );
  for (const { ticket: each, request, dueMs: due } of questions) {
    if (isReading(request)) replies.push(...attempt([each], () => [open.read(request, due)]));
  }
  // What is done need not wait for what takes long.
  port.postMessage(replies.splice(0));
  for (const { ticket: each, request, dueMs: due } of questions) {
    if (request?.kind === 'copy') replies.push(...attempt([each], () => [open.copy(request.to, due)]));
    if (request?.kind === 'compact') replies.push(...attempt([each], () => [open.compact(due)]));
  }
  const closing = questions.find(({ request }) => request === undefined);
  if (closing !== undefined && waiting.length > 0) putBack([closing]);
  else if (closing !== undefined) replies.push(...close(open, closing.ticket));
  if (replies.length > 0) port.postMessage(replies);
  if (waiting.length > 0) setImmediate(work);
}

/** Those whose time is not over wait on when others are in the way. */
function write(open: SqliteGround, drafts: readonly Question[], replies: Reply[]): void {
  if (drafts.length === 0) return;
  const due = Math.min(...drafts.map((question) => question.dueMs));
  let busy = false;
  const written = attempt(
    drafts.map((draft) => draft.ticket),
    () => {
      const done = open.write(
        drafts.map(({ request }) => request as Writing),
        due,
      );
      busy = done === undefined;
      return (done ?? []).map((each) => ({ kind: 'committed', written: each }));
    },
  );
  if (busy) putBack(timely(drafts, replies));
  // What is wrong with one, lies on a damaged page or is too large for the disk, is no reason to refuse the rest.
  else if (drafts.length > 1 && written[0]?.failed?.outcome === 'none')
    for (const draft of drafts) write(open, timely([draft], replies), replies);
  else replies.push(...written);
}

function close(open: SqliteGround, closing: number): Reply[] {
  const replies = attempt([closing], () => {
    open.close();
    return [{ kind: 'closed' }];
  });
  port.unref(); // nothing more is asked: the thread ends
  return replies;
}

port.on('message', (question: Question) => {
  waiting.push(question);
  if (waiting.length === 1) setImmediate(work);
});

count(ticket, 1);
const opened = attempt([ticket], () => {
  ground = new SqliteGround(findModule(module), dir, acceptOlder, dueMs);
  return [{ kind: 'opened' }];
});
port.postMessage(opened);
if (ground === undefined) port.unref();
