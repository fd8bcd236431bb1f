import type { WriteStream } from 'node:tty';
import { whole } from './report.ts';

const EVERY_MS = 100;
const BAR_WIDTH = 24;

/** A bar on a terminal, redrawn ten times a second; elsewhere nothing. */
export class Progress {
  readonly #out: WriteStream;
  readonly #label: string;
  readonly #total: number | undefined;
  readonly #noun: string;
  readonly #begun = performance.now();
  #drawnAt = -Infinity;

  /** `noun`: what is counted. */
  constructor(out: WriteStream, label: string, total: number | undefined, noun = 'steps') {
    this.#noun = noun;
    this.#out = out;
    this.#label = label;
    this.#total = total;
  }

  show(done: number): void {
    const now = performance.now();
    if (!this.#out.isTTY || now - this.#drawnAt < EVERY_MS) return;
    this.#drawnAt = now;
    const speed = `${whole(done / Math.max(0.001, (now - this.#begun) / 1000))} ${this.#noun}/s`;
    const part = this.#total === undefined ? undefined : Math.min(1, done / Math.max(1, this.#total));
    const bar =
      part === undefined
        ? ''
        : `${'█'.repeat(Math.round(part * BAR_WIDTH)).padEnd(BAR_WIDTH, '░')} ${Math.floor(part * 100)} %  `;
    const of = this.#total === undefined ? '' : ` of ${whole(this.#total)}`;
    this.#draw(`${this.#label}  ${bar}${whole(done)}${of} ${this.#noun}  ${speed}`);
  }

  clear(): void {
    if (this.#out.isTTY) this.#draw('');
  }

  #draw(text: string): void {
    this.#out.write(`\r\x1b[2K${text.slice(0, (this.#out.columns || 80) - 1)}`);
  }
}
