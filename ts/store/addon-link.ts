// By name: a test that fakes the one of `process` (as Jest does) does not fake this.
import { nextTick } from 'node:process';
import { loadAddon } from '../addon.ts';
import type { StoreLink } from '../addon.ts';
import type { HoldfastError } from '../errors.ts';
import { Tickets, withGrace } from './sqlite-link.ts';
import type { Patience, SqliteLink } from './sqlite-link.ts';
import { decodeAnswers } from './sqlite-answers.ts';
import { Outbox } from './sqlite-wire.ts';
import type { Answer, Request } from './sqlite-wire.ts';

const ROOM = 1 << 16;

/** The way through our addon, whose own threads read and write: the usual one. */
export class AddonLink implements SqliteLink {
  readonly #native: StoreLink;
  readonly #tickets: Tickets = new Tickets(
    () => this.#drain(),
    (tickets) => this.#native.withdraw(tickets),
  );
  readonly #outbox = new Outbox();
  readonly #send = (): void => this.#sendAll();
  #room = Buffer.allocUnsafeSlow(ROOM);

  readonly #onLog: (bytes: number) => void;

  private constructor(onLog: (bytes: number) => void) {
    this.#onLog = onLog;
    const { StoreLink: Native } = loadAddon();
    this.#native = new Native(() => this.#drain());
  }

  /** Opens `dir`, which is made when missing. */
  static async open(
    dir: string,
    acceptOlder: boolean,
    boundMs: number,
    onLog: (bytes: number) => void = () => undefined,
  ): Promise<AddonLink> {
    const link = new AddonLink(onLog);
    try {
      await link.#tickets.ask(withGrace(boundMs), (ticket) => link.#native.open(dir, acceptOlder, ticket, boundMs));
      return link;
    } catch (error) {
      link.#native.disconnect();
      throw error;
    }
  }

  ask(request: Request, patience: Patience): Promise<Answer> {
    return this.#tickets.ask(patience, (ticket) => {
      // What is asked for in one turn of the event loop is sent, and committed, together.
      if (this.#outbox.isEmpty) nextTick(this.#send);
      this.#outbox.add(ticket, patience.boundMs, request);
    });
  }

  #sendAll(): void {
    // What need not wait was read at once.
    if (!this.#outbox.isEmpty && this.#native.submit(this.#outbox.take())) this.#drain();
  }

  async close(boundMs: number): Promise<void> {
    try {
      this.#sendAll();
      await this.#tickets.ask(withGrace(boundMs), (ticket) => this.#native.close(ticket));
    } finally {
      this.#tickets.close();
      this.#native.disconnect();
    }
  }

  #take(ticket: number, answer: Answer | HoldfastError): void {
    if ('kind' in answer && answer.kind === 'log') this.#onLog(answer.bytes);
    else this.#tickets.settle(ticket, answer);
  }

  #drain(): void {
    let length = this.#native.drain(this.#room);
    while (length < 0) {
      this.#room = Buffer.allocUnsafeSlow(-length);
      length = this.#native.drain(this.#room); // more may have come meanwhile
    }
    decodeAnswers(this.#room.subarray(0, length), (ticket, answer) => this.#take(ticket, answer));
    if (this.#room.length > ROOM) this.#room = Buffer.allocUnsafeSlow(ROOM);
  }
}
