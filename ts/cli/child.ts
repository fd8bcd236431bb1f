import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Failed } from './messages.ts';

/** A child that says nothing for this long while something is asked of it is taken for dead. */
const SILENCE_MS = 60_000;

/** The parent's side of a child process: what it is asked, what it answers, and that no wait lasts for ever. */
export class Child<Out extends object, In extends { readonly kind: string }> {
  readonly #process: ChildProcess;
  readonly #name: string;
  #expected = 0;
  #listener: (message: In) => void = () => undefined;
  #patience: NodeJS.Timeout | undefined;
  #fail: (error: Error) => void = () => undefined;
  #ended = false;
  readonly #kill = (): void => this.kill();
  /** Rejects when the process fails, dies or falls silent. */
  readonly failed: Promise<never>;

  /** `module`: a file beside this one. `temporary`: a directory that the child removes if this process dies. */
  constructor(name: string, module: 'worker.js' | 'verifier.js', temporary: string | undefined) {
    this.#name = name;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => undefined); // whoever waits for something learns of it
    this.#process = fork(fileURLToPath(new URL(module, import.meta.url)), [temporary ?? ''], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#process.on('message', (message) => this.#receive(message as In | Failed));
    this.#process.on('error', (error) => this.#fail(error));
    process.prependListener('exit', this.#kill);
    this.#process.on('exit', (code, signal) => {
      if (!this.#ended) this.#fail(new Error(`${name} ended unasked (${signal ?? `exit code ${code}`})`));
      process.off('exit', this.#kill);
      this.#settle();
    });
  }

  onMessage(listener: (message: In) => void): void {
    this.#listener = listener;
  }

  /** `answers`: how many times `answered` will be called for it. */
  send(message: Out, answers: number): void {
    this.#expected += answers;
    this.#wait();
    this.#process.send(message, (error) => {
      // A child that has just died is told of by its `exit`, which says more.
      if (error !== null)
        setTimeout(
          () => !this.#ended && this.#fail(new Error(`${this.#name} cannot be reached: ${error.message}`)),
          1000,
        ).unref();
    });
  }

  answered(count: number): void {
    this.#expected -= count;
    this.#wait();
  }

  /** Sends a message that has one answer, of the given kind. Nothing else may be under way. */
  async ask<K extends In['kind']>(message: Out, kind: K): Promise<Extract<In, { kind: K }>> {
    const before = this.#listener;
    const answer = new Promise<In>((resolve) => this.onMessage(resolve));
    this.send(message, 1);
    const got = await Promise.race([answer, this.failed]);
    this.answered(1);
    this.#listener = before;
    if (got.kind !== kind) throw new Error(`${this.#name} answered '${got.kind}' where '${kind}' was due`);
    return got as Extract<In, { kind: K }>;
  }

  /** At once; harmless when it has ended. */
  kill(): void {
    this.#ended = true;
    this.#settle();
    this.#process.kill('SIGKILL');
  }

  #receive(message: In | Failed): void {
    if (message.kind === 'failed') this.#fail(new Error(`${this.#name}: ${(message as Failed).error}`));
    else if (!this.#ended) this.#listener(message as In);
  }

  #wait(): void {
    this.#settle();
    if (this.#expected <= 0 || this.#ended) return;
    this.#patience = setTimeout(
      () => this.#fail(new Error(`${this.#name} has not answered for ${SILENCE_MS / 1000} s`)),
      SILENCE_MS,
    );
  }

  #settle(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }
}
