import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 5_000;

/** One of the app servers: a process that can be killed and started again. */
export class Server {
  readonly name: string;
  readonly #places: readonly string[];
  #process: ChildProcess | undefined;
  #port = 0;
  #killedAt: number | undefined;
  /** How often the store granted locks to earlier processes, and to this one as it last said. */
  #earlierHandOvers = 0;
  #handOvers = 0;

  /** `places`: what the app is started with. */
  constructor(name: string, places: readonly string[]) {
    this.name = name;
    this.#places = places;
    process.prependListener('exit', () => this.#process?.kill('SIGKILL'));
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** By the monotonic clock; undefined while it runs. */
  get killedAt(): number | undefined {
    return this.#killedAt;
  }

  get handOvers(): number {
    return this.#earlierHandOvers + this.#handOvers;
  }

  noteHandOvers(handOvers: number): void {
    this.#handOvers = Math.max(this.#handOvers, handOvers);
  }

  async start(): Promise<void> {
    this.#earlierHandOvers += this.#handOvers;
    this.#handOvers = 0;
    const child = fork(fileURLToPath(new URL('app.js', import.meta.url)), [...this.#places], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    this.#process = child;
    const started = once(child, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) }) as Promise<[AddressInfo]>;
    const died = once(child, 'exit').then(() => Promise.reject(new Error(`server ${this.name} did not start`)));
    const [{ port }] = await Promise.race([started, died]);
    died.catch(() => undefined);
    this.#port = port;
    this.#killedAt = undefined;
  }

  /** As a power cut would: no time to give anything back. */
  kill(): void {
    this.#process?.kill('SIGKILL');
    this.#killedAt = performance.now();
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(STOP_TIMEOUT_MS) });
    child.kill('SIGTERM');
    await ended;
  }
}
