import type { WriteStream } from 'node:tty';
import { bytes, whole } from '../cli/report.ts';
import type { AppServer } from './app-server.ts';
import type { Figures } from './figures.ts';
import type { ServerProcess } from './server-process.ts';

export interface Shown {
  readonly servers: readonly AppServer[];
  /** The primary, where it is a server of its own. */
  readonly primary: ServerProcess | undefined;
  readonly figures: Figures;
  readonly sessions: number;
}

/** Shows the figures: a block that is redrawn on a terminal, elsewhere a line once a second. */
export class Screen {
  readonly #out: WriteStream;
  readonly #servers: readonly AppServer[];
  readonly #primary: ServerProcess | undefined;
  readonly #figures: Figures;
  readonly #sessions: number;
  readonly #timer: NodeJS.Timeout;
  #height = 0;

  constructor(out: WriteStream, { servers, primary, figures, sessions }: Shown) {
    this.#out = out;
    this.#servers = servers;
    this.#primary = primary;
    this.#figures = figures;
    this.#sessions = sessions;
    this.#timer = setInterval(() => this.#refresh(), out.isTTY ? 200 : 1000);
  }

  /** A line that stays. */
  say(text: string): void {
    this.#erase();
    this.#out.write(`${text}\n`);
    if (this.#out.isTTY) this.#refresh();
  }

  /** The figures as they are now stay. */
  end(): void {
    clearInterval(this.#timer);
    this.#erase();
    this.#out.write(`${this.block()}\n`);
  }

  #refresh(): void {
    if (!this.#out.isTTY) return void this.#out.write(`${this.line()}\n`);
    this.#erase();
    const lines = this.block().split('\n');
    const fitting = lines.map((line) => line.slice(0, (this.#out.columns || 80) - 1));
    this.#out.write(`${fitting.join('\n')}\n`);
    this.#height = lines.length;
  }

  #erase(): void {
    if (this.#height > 0) this.#out.write(`\x1b[${this.#height}A\x1b[J`);
    this.#height = 0;
  }

  get #handovers(): number {
    return this.#servers.reduce((sum, server) => sum + server.handOvers, 0);
  }

  get #ratio(): string {
    const { sentBytes, wholeBytes } = this.#figures;
    return sentBytes === 0 ? '' : `1:${(wholeBytes / sentBytes).toFixed(0)}`;
  }

  block(): string {
    const { requests, retries, sentBytes, wholeBytes, latencyMs, takeOver, outage, seconds } = this.#figures;
    const servers = [...this.#servers, ...(this.#primary === undefined ? [] : [this.#primary])].map(
      ({ name, pid, isUp }) => `${name} ${isUp ? `runs (process ${pid})` : 'is DEAD'}`,
    );
    const lines = [
      `  time        ${seconds.toFixed(1)} s, ${this.#sessions} users hopping between the servers`,
      `  servers     ${servers.join('   ')}`,
      `  requests    ${whole(requests)} done, ${whole(this.#figures.pace())} per second, ${whole(retries)} sent again`,
      `  bytes       ${bytes(sentBytes)} sent; saving whole sessions: ${bytes(wholeBytes)}   ${this.#ratio}`,
      `  locks       ${whole(this.#handovers)} hand-overs between the servers`,
      `  latency     p50 ${latencyMs.p50.toFixed(1)} ms   p99 ${latencyMs.p99.toFixed(1)} ms`,
    ];
    if (takeOver !== undefined) lines.push(`  take-over   ${describeTakeOver(takeOver)}`);
    if (outage !== undefined) lines.push(`  outage      ${describeOutage(outage)}`);
    return lines.join('\n');
  }

  line(): string {
    const { requests, sentBytes, wholeBytes, latencyMs, seconds } = this.#figures;
    const time = `${seconds.toFixed(0).padStart(3)} s`;
    return `${time}  ${whole(requests)} requests (${whole(this.#figures.pace())}/s)  sent ${bytes(sentBytes)} instead of ${bytes(wholeBytes)} ${this.#ratio}  ${whole(this.#handovers)} hand-overs  p50 ${latencyMs.p50.toFixed(1)} ms  p99 ${latencyMs.p99.toFixed(1)} ms`;
  }
}

function describeTakeOver({ sessions, firstMs, allMs }: NonNullable<Figures['takeOver']>): string {
  if (firstMs === undefined) return `waiting for the first of the ${sessions} sessions that the dead server had locked`;
  const all = allMs === undefined ? 'not yet all' : `all after ${allMs.toFixed(0)} ms`;
  return `first session of the dead server changed elsewhere after ${firstMs.toFixed(0)} ms; of ${sessions}, ${all}`;
}

function describeOutage({ awayMs, firstMs }: NonNullable<Figures['outage']>): string {
  if (awayMs === undefined) return 'the primary is away: users are told so and send again';
  const saved = firstMs === undefined ? 'nothing saved yet' : `a change was saved ${firstMs.toFixed(0)} ms later`;
  return `the primary was away for ${awayMs.toFixed(0)} ms, and is back; ${saved}`;
}
