import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { checkCall, checkId } from './arguments.ts';
import { Deadline } from './deadline.ts';
import type { CallOptions } from './store.ts';

/** The calls to one store: each with its deadline, until the store is closed; the closing waits for those under way. */
export class Calls {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #boundMs: number;
  #closed = false;
  #underWay = 0;
  #whenIdle: () => void = () => undefined;

  /** `name`: of the kind of store, in messages; `boundMs`: of a call that names no bound. */
  constructor(name: string, clock: Clock, boundMs: number) {
    this.#name = name;
    this.#clock = clock;
    this.#boundMs = boundMs;
  }

  get closed(): boolean {
    return this.#closed;
  }

  begin(options?: CallOptions): Deadline {
    if (this.#closed) throw new HoldfastError('ERR_CLOSED', `the ${this.#name} store is closed: open another`);
    if (options !== undefined) checkCall(options);
    return new Deadline(this.#clock, options ?? {}, this.#boundMs);
  }

  /** For what a call leads to, or several calls wait for: of so many ms, and cancelled by no caller. */
  within(timeoutMs: number = this.#boundMs): Deadline {
    return new Deadline(this.#clock, { timeoutMs }, this.#boundMs);
  }

  /** A call about one session. */
  beginFor(id: string, options: CallOptions | undefined): Deadline {
    const deadline = this.begin(options);
    checkId(id);
    return deadline;
  }

  /** Counts what the closing is to wait for. */
  async track<T>(work: Promise<T>): Promise<T> {
    this.enter();
    try {
      return await work;
    } finally {
      this.leave();
    }
  }

  /** As `track`, from now until `leave`. */
  enter(): void {
    this.#underWay += 1;
  }

  leave(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#whenIdle();
  }

  /** Refuses calls from now on; resolves when those under way have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
  }
}
