import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const script = fileURLToPath(new URL('./shop.mjs', import.meta.url));
const children = new Set<ChildProcess>();

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** A server process of `shop.mjs`. */
export class Shop {
  readonly #child: ChildProcess;
  readonly #port: string;

  private constructor(child: ChildProcess, port: string) {
    this.#child = child;
    this.#port = port;
  }

  static async start(framework: 'express' | 'fastify', address: string): Promise<Shop> {
    const child = spawn(process.execPath, [script, framework, address], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.add(child);
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('the server has ended before it served')));
    const [port] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [string];
    ended.catch(() => undefined); // it was killed
    return new Shop(child, port);
  }

  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** A new session's cookie. */
  async login(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/login`);
    await response.text();
    const [cookie] = response.headers.getSetCookie();
    return cookie!.split(';', 1)[0]!;
  }

  /** What was answered, whole: then it is saved. */
  async get(route: string, cookie: string, item = ''): Promise<Record<string, unknown>> {
    const url = `http://127.0.0.1:${this.#port}/${route}?item=${item}`;
    const response = await fetch(url, { headers: { cookie }, signal: AbortSignal.timeout(20_000) });
    const body = await response.text();
    if (response.status !== 200) throw new Error(`${route}: ${response.status} ${body}`);
    return JSON.parse(body) as Record<string, unknown>;
  }
}
