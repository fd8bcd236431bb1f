import { Agent, request as httpRequest } from 'node:http';
import type { AppServer } from './app-server.ts';
import type { Figures } from './figures.ts';
import type { Profile } from './shop.ts';

const REQUEST_TIMEOUT_MS = 5000;
const RETRY_AFTER_MS = 25;
const THINKING_MS = 12;

/** A change that a server has acknowledged. */
export interface Acknowledged {
  readonly request: string;
  readonly article?: string;
  readonly profile?: Partial<Profile>;
}

interface Reply {
  readonly sentBytes: number;
  readonly wholeBytes: number;
  readonly handOvers: number;
}

const agent = new Agent({ keepAlive: true });

/** Clicks around in the shop, now on one server and now on another; sends again what was not acknowledged. */
export class User {
  readonly name: string;
  readonly acknowledged: Acknowledged[] = [];
  readonly #servers: readonly AppServer[];
  readonly #figures: Figures;
  readonly #random: () => number;
  #at: number;
  /** Made the last change, and so has the session's lock unless another asked for it. */
  savedBy: AppServer | undefined;

  constructor(name: string, servers: readonly AppServer[], figures: Figures, random: () => number) {
    this.name = name;
    this.#servers = servers;
    this.#figures = figures;
    this.#random = random;
    this.#at = this.#draw(servers.length);
  }

  get #server(): AppServer {
    return this.#servers[this.#at] as AppServer;
  }

  async clickUntil(stopped: () => boolean): Promise<void> {
    for (let number = 1; !stopped(); number += 1) {
      if (this.#draw(3) === 0) this.#hop();
      if (this.acknowledged.length > 0 && this.#draw(5) === 0) await this.#untilServed(() => this.#send('GET'));
      else await this.#change(`${this.name}-${number}`);
      await pause(THINKING_MS * 2 * this.#random());
    }
  }

  async #change(request: string): Promise<void> {
    const change: Acknowledged =
      this.#draw(4) > 0
        ? { request, article: `article-${this.#draw(30)}` }
        : { request, profile: this.#newProfile(request) };
    const reply = await this.#untilServed(() => this.#send('POST', change));
    this.acknowledged.push(change);
    this.savedBy = this.#server;
    this.savedBy.noteHandOvers(reply.handOvers);
    this.#figures.saved(this.name, reply.sentBytes, reply.wholeBytes);
  }

  #newProfile(request: string): Partial<Profile> {
    return this.#draw(2) === 0
      ? { email: `${request}@example.com` }
      : { language: ['en', 'fr', 'de', 'ja'][this.#draw(4)] as string };
  }

  /** The same request again, elsewhere, until a server has answered it: its id keeps it from being done twice. */
  async #untilServed(send: () => Promise<Reply>): Promise<Reply> {
    const begun = performance.now();
    for (;;) {
      try {
        const reply = await send();
        this.#figures.served(performance.now() - begun);
        return reply;
      } catch (error) {
        if (error instanceof Refused) throw error;
        this.#figures.retries += 1;
        this.#hop();
        await pause(RETRY_AFTER_MS);
      }
    }
  }

  #send(method: 'GET' | 'POST', body?: object): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        `${this.#server.url}/${this.name}`,
        { method, agent, timeout: REQUEST_TIMEOUT_MS },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (text += chunk));
          response.on('error', reject);
          response.on('close', () => reject(new Error('the connection broke')));
          response.on('end', () => {
            if (response.statusCode === 200) resolve(JSON.parse(text) as Reply);
            else
              reject(
                response.statusCode === 503
                  ? new Error(text)
                  : new Refused(`${method} gave ${response.statusCode}: ${text}`),
              );
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject);
      request.end(body && JSON.stringify(body));
    });
  }

  #hop(): void {
    this.#at = (this.#at + 1) % this.#servers.length;
  }

  #draw(below: number): number {
    return Math.floor(this.#random() * below);
  }
}

/** Sending it again would not help. */
class Refused extends Error {}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
