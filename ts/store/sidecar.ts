import { fork } from 'node:child_process';
import type { ChildProcess, ForkOptions, StdioOptions } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { packageFolder } from '../package.ts';
import { BegunFile, count, isBegun, newBegun } from './begun.ts';
import { newGate, shut, shutAndWait } from './gate.ts';
import type { Gate } from './gate.ts';
import type { Opening, Question, Reply } from './sqlite-server.ts';
import { reason } from './system-error.ts';

/** Built files, also where sources run: Node 20 reads no TypeScript. */
const entry = (name: string): string => join(packageFolder(), 'dist/store', name);

/** Where a store is open without the addon, beside the caller. It keeps no process alive. */
export interface Sidecar {
  post(question: Question): void;
  /** Of questions whose time is over, those that were not begun and never will be: it begins nothing so late. */
  withdraw(tickets: readonly number[]): readonly number[];
  /** Resolves when it has ended. */
  end(): Promise<unknown>;
}

export interface Hearer {
  onReplies(replies: readonly Reply[]): void;
  /** `cause`: undefined where none is known. */
  onEnd(cause: unknown): void;
}

/** Of all threads. Some modules abort the process when it ends while a thread of it is inside them. */
const gates = new Set<Gate>();
let listens = false;
const POLL_MS = 5;
/** The process cannot end before its threads have come back from a commit, whatever is done here. */
const MOST_WAIT_MS = 10_000;

function shutAll(): void {
  const end = systemClock.monotonic() + MOST_WAIT_MS;
  for (const gate of gates) shutAndWait(gate, Math.max(0, end - systemClock.monotonic()));
}

/** A commit that hangs holds up the end of the caller. */
export function startThread(opening: Opening, { onReplies, onEnd }: Hearer): Sidecar {
  // Without the process's own flags: some, as of `node -e`, are refused in a thread.
  const [gate, begun] = [newGate(), newBegun()];
  const worker = new Worker(entry('sqlite-thread.js'), { workerData: { opening, gate, begun }, execArgv: [] });
  if (!listens) process.once('exit', shutAll);
  listens = true;
  gates.add(gate);
  worker.on('message', (replies: readonly Reply[]) => {
    for (const { ticket, answer } of replies) if (answer?.kind !== 'log') count(begun, ticket, -1);
    onReplies(replies);
  });
  worker.on('error', onEnd);
  worker.on('exit', () => {
    gates.delete(gate);
    onEnd(undefined);
  });
  worker.unref(); // to hear its messages refers to it again
  const end = async (): Promise<void> => {
    while (!shut(gate)) await pause(POLL_MS, undefined, { ref: false });
    await worker.terminate();
  };
  return {
    post: (question) => worker.postMessage(question),
    withdraw: (tickets) => tickets.filter((ticket) => !isBegun(begun, ticket)),
    end,
  };
}

/** `ERR_UNAVAILABLE`: the system gives no room for one. */
function forked(): { readonly begun: BegunFile; readonly child: ChildProcess } {
  let begun: BegunFile | undefined;
  try {
    begun = new BegunFile();
    const stdio: StdioOptions = ['ignore', 'ignore', 'inherit', 'ipc', begun.file];
    const options: ForkOptions = { execArgv: [], serialization: 'advanced', detached: true, stdio };
    return { begun, child: fork(entry('sqlite-process.js'), [], options) };
  } catch (cause) {
    begun?.close();
    throw new HoldfastError(
      'ERR_UNAVAILABLE',
      `the helper process of the embedded store cannot be started: ${reason(cause)}; see how many files and processes this user may have`,
      { cause, outcome: 'none' },
    );
  }
}

/** Hears no signal that is meant for the caller, and ends when that has gone. */
export function startProcess(opening: Opening, { onReplies, onEnd }: Hearer): Sidecar {
  const { begun, child } = forked();
  const ended = new Promise<void>((resolve) => {
    for (const event of ['exit', 'error']) child.once(event, () => (begun.close(), resolve()));
  });
  child.unref();
  child.channel?.unref();
  child.on('message', (message) => {
    const replies = message as readonly Reply[];
    for (const { ticket, answer } of replies) if (answer?.kind !== 'log') begun.answer(ticket);
    onReplies(replies);
  });
  child.on('error', onEnd);
  child.on('exit', () => onEnd(undefined));
  const post = (message: Opening | Question): void => {
    if (child.connected) child.send(message, () => undefined); // its end tells; one that never began has no channel
  };
  post(opening);
  return {
    post,
    withdraw: (tickets) => tickets.filter((ticket) => !begun.isBegun(ticket)),
    end: () => {
      child.ref();
      if (child.connected) child.disconnect();
      return ended;
    },
  };
}
