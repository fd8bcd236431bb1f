import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ServerProcess } from './server-process.ts';

/** One of the app servers. */
export class AppServer extends ServerProcess {
  readonly #places: readonly string[];
  #port = 0;
  /** How often the store granted locks to earlier processes, and to this one as it last said. */
  #earlierHandOvers = 0;
  #handOvers = 0;

  /** `places`: what the app is started with. */
  constructor(name: string, places: readonly string[]) {
    super(name);
    this.#places = places;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get handOvers(): number {
    return this.#earlierHandOvers + this.#handOvers;
  }

  noteHandOvers(handOvers: number): void {
    this.#handOvers = Math.max(this.#handOvers, handOvers);
  }

  protected launch(): ChildProcess {
    this.#earlierHandOvers += this.#handOvers;
    this.#handOvers = 0;
    return fork(fileURLToPath(new URL('app.js', import.meta.url)), [...this.#places], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
  }

  protected async ready(child: ChildProcess, signal: AbortSignal): Promise<void> {
    const [{ port }] = (await once(child, 'message', { signal })) as [AddressInfo];
    this.#port = port;
  }
}
