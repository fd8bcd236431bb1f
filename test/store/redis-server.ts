import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll } from 'vitest';
import { answers } from '../../ts/demo/redis-server.ts';
import type { IoredisClient, NodeRedisClient, RedisClient } from '../../ts/store/redis.ts';
import { newFolder } from '../folders.ts';

/** Why what needs a server is skipped; undefined: it is installed. */
export const NO_REDIS: string | undefined =
  spawnSync('redis-server', ['--version'], { timeout: 10_000 }).status === 0
    ? undefined
    : 'redis-server is not installed';

const READY_MS = 20_000;

/** A server of its own on a free port, in a temporary folder. */
export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly #settings: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, settings: readonly string[]) {
    this.port = port;
    this.#settings = settings;
    this.#folder = newFolder();
  }

  /** `settings`: as on its command line; behind `--sentinel` lines of its file. It is stopped when the tests of the file have ended. */
  static async start(...settings: readonly string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), settings);
    servers.push(server);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child?.pid as number;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(): Promise<void> {
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''];
    const [first, ...others] = this.#settings;
    const isSentinel = first === '--sentinel';
    const file = join(this.#folder, 'sentinel.conf');
    if (isSentinel) writeFileSync(file, others.join('\n'), { flag: 'a' });
    const settings = isSentinel ? [file, ...own, first] : [...own, ...this.#settings];
    this.#child = spawn('redis-server', settings, { stdio: 'ignore' });
    for (const end = Date.now() + READY_MS; !(await answers(this.port));) {
      if (Date.now() > end || this.#child.exitCode !== null) throw new Error('redis-server does not start');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.#child === undefined || !this.isRunning) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

const servers: RedisServer[] = [];
process.once('exit', () => {
  for (const server of servers) server.signal('SIGKILL'); // the tests were broken off
});
const clients: (() => unknown)[] = [];
/** Ends a client with the tests of the file. */
export const ended = (end: () => unknown): void => void clients.push(end);

afterAll(async () => {
  for (const end of clients.splice(0)) end();
  for (const server of servers.splice(0)) await server.kill();
});

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export type ClientName = 'redis' | 'ioredis';

const QUICK_MS = 20;

/**
 * A client of each package, as its user makes it, but that it connects again soon; ended with the tests of the file.
 * `login`: else the default user's.
 */
export async function newClient(
  name: ClientName,
  { port }: Pick<RedisServer, 'port'>,
  login: { readonly username?: string; readonly password?: string } = {},
): Promise<RedisClient> {
  if (name === 'ioredis') {
    const client: IoredisClient = new Redis(port, '127.0.0.1', { retryStrategy: () => QUICK_MS, ...login });
    client.on('error', () => undefined);
    clients.push(() => client.disconnect());
    await new Promise((resolve) => client.on('ready', resolve)); // as the other package's `connect` does
    return client;
  }
  const client = createClient({ socket: { port, host: '127.0.0.1', reconnectStrategy: QUICK_MS }, ...login });
  client.on('error', () => undefined);
  const used: NodeRedisClient = client;
  clients.push(() => client.isOpen && client.destroy());
  await client.connect();
  return used;
}

/** A command of the test's own. */
export const command = (client: RedisClient, name: string, ...args: readonly string[]): Promise<unknown> =>
  'callBuffer' in client ? client.callBuffer(name, ...args) : (client as NodeRedisClient).sendCommand([name, ...args]);

let prefixes = 0;
/** Of a place that nobody has used. */
export const newPrefix = (): string => `t${(prefixes += 1)}`;
