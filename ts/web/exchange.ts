import type { ServerResponse } from 'node:http';
import { HoldfastError } from '../errors.ts';
import type { OnGone } from './health.ts';

/** What there is to know, and to tell, of a request's response. */
export interface Exchange {
  /** Its headers have gone: no cookie can be given any more. */
  readonly sent: boolean;
  /** The header that gives or takes the session's cookie; undefined: neither. */
  cookie: string | undefined;
  /** Calls `run` right before the headers go, the last moment for a cookie. */
  onHead(run: () => void): void;
  /** Calls `run` when the client has gone before the response was whole. */
  readonly onGone: OnGone;
}

export const clientGone = (): HoldfastError =>
  new HoldfastError('ERR_CLOSED', 'the client has gone: nobody waits for this request any more', { outcome: 'none' });

type Head = Readonly<Record<string, number | string | readonly string[] | undefined>> | readonly unknown[] | undefined;

/** The exchange over a response of Node's. */
export class NodeExchange implements Exchange {
  readonly #response: ServerResponse;
  readonly #name: string;
  #cookie: string | undefined;
  readonly #onHead: (() => void)[] = [];
  #isHooked = false;
  #whenGone: Set<(reason: unknown) => void> | undefined;

  /** `name`: of the cookie. */
  constructor(response: ServerResponse, name: string) {
    this.#response = response;
    this.#name = name;
  }

  get sent(): boolean {
    return this.#response.headersSent;
  }

  get cookie(): string | undefined {
    return this.#cookie;
  }

  set cookie(line: string | undefined) {
    this.#cookie = line;
    this.#hook();
  }

  onHead(run: () => void): void {
    this.#onHead.push(run);
    this.#hook();
  }

  readonly onGone: OnGone = (run) => {
    const response = this.#response;
    const whenGone = (this.#whenGone ??= new Set());
    if (whenGone.size === 0) response.on('close', this.#closed);
    whenGone.add(run);
    if (response.closed || response.destroyed) this.#closed();
    return () => {
      whenGone.delete(run);
      if (whenGone.size === 0) response.off('close', this.#closed);
    };
  };

  readonly #closed = (): void => {
    if (this.#response.writableFinished) return;
    for (const run of this.#whenGone ?? []) run(clientGone());
  };

  /** Only of a response that something is to be told in. */
  #hook(): void {
    if (this.#isHooked) return;
    this.#isHooked = true;
    const response = this.#response;
    const { writeHead } = response;
    response.writeHead = (status: number, ...rest: unknown[]) => {
      response.writeHead = writeHead;
      setAll(response, (typeof rest[0] === 'string' ? rest[1] : (rest[0] ?? rest[1])) as Head);
      this.#tell();
      return typeof rest[0] === 'string' ? response.writeHead(status, rest[0]) : response.writeHead(status);
    };
  }

  #tell(): void {
    for (const run of this.#onHead) run();
    if (this.#cookie === undefined) return;
    const others = [this.#response.getHeader('set-cookie') ?? []].flat().map(String);
    const kept = others.filter((line) => !line.startsWith(`${this.#name}=`));
    this.#response.setHeader('set-cookie', [...kept, this.#cookie]);
  }
}

/** As `writeHead` would have done: what is given to it stands in the place of what was set before. */
function setAll(response: ServerResponse, head: Head): void {
  const entries = !Array.isArray(head) ? Object.entries(head ?? {}) : Array.isArray(head[0]) ? head : pairs(head);
  for (const [name] of entries) response.removeHeader(name as string);
  for (const [name, value] of entries) if (value !== undefined) response.appendHeader(name as string, strings(value));
}

const strings = (value: unknown): string | string[] => (Array.isArray(value) ? value.map(String) : String(value));

const pairs = (flat: readonly unknown[]): unknown[][] =>
  Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at], flat[2 * at + 1]]);
