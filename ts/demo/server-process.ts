import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;

/** A server that can be killed and started again, and does not outlive this process. */
export abstract class ServerProcess {
  readonly name: string;
  #child: ChildProcess | undefined;
  #isUp = false;

  constructor(name: string) {
    this.name = name;
    process.prependListener('exit', () => this.#child?.kill('SIGKILL'));
  }

  protected abstract launch(): ChildProcess;

  /** Resolves when it can be asked; rejects when the signal is aborted before. */
  protected abstract ready(child: ChildProcess, signal: AbortSignal): Promise<void>;

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Was started, and not killed since. */
  get isUp(): boolean {
    return this.#isUp;
  }

  async start(): Promise<void> {
    const child = this.launch();
    this.#child = child;
    const died = once(child, 'exit').then(() => Promise.reject(new Error('it ended')));
    died.catch(() => undefined);
    try {
      await Promise.race([this.ready(child, AbortSignal.timeout(START_TIMEOUT_MS)), died]);
    } catch (cause) {
      throw new Error(`the server ${this.name} did not start`, { cause });
    }
    this.#isUp = true;
  }

  /** As a power cut would: no time to give anything back. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#isUp = false;
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(STOP_TIMEOUT_MS) });
    child.kill(signal);
    await ended;
  }
}
