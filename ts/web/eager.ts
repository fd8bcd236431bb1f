import type { Session } from '../session/session.ts';
import type { Uses } from './uses.ts';
import type { Opened, Visit } from './visit.ts';

/** The session of an eager route while its request goes on. Ends once, one way or the other. */
export class Eager<S extends object, V extends object> {
  readonly #uses: Uses<S, V>;
  readonly #visit: Visit<Session<S, V>>;
  readonly #opened: Opened<Session<S, V>>;
  #isOver = false;
  #ending: Promise<void> | undefined;
  #takeBack: (() => void) | undefined;
  readonly #forget: (() => void) | undefined;

  constructor(uses: Uses<S, V>, visit: Visit<Session<S, V>>, opened: Opened<Session<S, V>>) {
    this.#uses = uses;
    this.#visit = visit;
    this.#opened = opened;
    visit.eager = opened;
    visit.exchange?.onHead(() => this.#give());
    this.#forget = visit.exchange?.onGone(() => void this.drop());
  }

  /** Saves what was written. Where it rejects nothing was. */
  async end(): Promise<void> {
    if (this.#leave()) await (this.#ending = this.#save());
  }

  async #save(): Promise<void> {
    const { session, made } = this.#opened;
    if (this.#visit.hasEnded) return;
    try {
      if (made?.isWritten() === false) return void (await session.close());
      this.#give();
      await this.#uses.run(() => session.saveAndClose());
      this.#visit.renew();
    } catch (error) {
      this.#takeBack?.();
      void session.close(); // it waits for a save that may hang
      throw error;
    }
  }

  /** Saves nothing, unless it is being saved: then it waits, so that who handles an error sees a response that has gone. */
  async drop(): Promise<void> {
    if (!this.#leave()) return void (await this.#ending?.catch(() => undefined));
    if (!this.#visit.hasEnded) this.#takeBack?.();
    await this.#opened.session.close();
  }

  #leave(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#forget?.();
    this.#visit.eager = this.#visit.view = undefined;
    this.#visit.wasEager = true;
    return true;
  }

  /** The cookie of a session that begins: with the response's headers at the latest. */
  #give(): void {
    const { session, made } = this.#opened;
    if (made === undefined || this.#takeBack !== undefined || session.closed || !made.isWritten()) return;
    this.#takeBack = this.#visit.give('an eager route', made.sid);
  }
}
