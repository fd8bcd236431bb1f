import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerProcess } from './server-process.ts';

const PROGRAM = 'redis-server';
const ASK_AGAIN_MS = 10;
/** Below those that connections get by themselves, so that none has taken the port when the server comes back. */
const PORTS = { first: 20_000, count: 10_000 };
const PORTS_TRIED = 20;

/** What makes it true that nothing acknowledged is lost when it is killed, whatever becomes of the app servers. */
const PERSISTENCE = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** What the demo needs of the machine, where it is missing; undefined: it is there. */
export function lackOfRedis(): string | undefined {
  const { error, status } = spawnSync(PROGRAM, ['--version'], { timeout: 10_000 });
  if (error === undefined && status === 0) return undefined;
  return `the demo on Redis needs '${PROGRAM}' in the PATH, and it ${status === null ? 'is not there' : 'does not run'}: install it (apt-get install redis-server, dnf install redis, brew install redis), or run the demo without --redis`;
}

/** A Redis server of the demo's own, which writes each change to its disk before it acknowledges it. */
export class RedisServer extends ServerProcess {
  readonly #folder: string;
  readonly #port: number;

  /** `folder`: a new one, where it keeps what it has. */
  static async start(folder: string): Promise<RedisServer> {
    mkdirSync(folder);
    const server = new RedisServer(folder, await freePort());
    await server.start();
    return server;
  }

  private constructor(folder: string, port: number) {
    super('Redis');
    this.#folder = folder;
    this.#port = port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  get settings(): string {
    return PERSISTENCE.join(' ').replaceAll('--', '');
  }

  protected launch(): ChildProcess {
    const own = ['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''];
    return spawn(PROGRAM, [...own, ...PERSISTENCE], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  protected async ready(_: ChildProcess, signal: AbortSignal): Promise<void> {
    while (!(await answers(this.#port))) await sleep(ASK_AGAIN_MS, undefined, { signal });
  }
}

async function freePort(): Promise<number> {
  for (let tried = 0; tried < PORTS_TRIED; tried += 1) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (await isFree(port)) return port;
  }
  throw new Error(`none of ${PORTS_TRIED} ports from ${PORTS.first} on is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** Whether a server answers there: not while it still loads what it has on disk. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.on('data', (data) => {
      socket.destroy();
      resolve(data.toString().startsWith('+PONG'));
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
  });
}
