import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterAll } from 'vitest';

const links: RedisLinkage[] = [];

afterAll(async () => {
  for (const link of links.splice(0)) await link.close();
});

/**
 * A way to a port of this machine, which delays what comes back from there, and can be cut: what is under way is lost
 * then. As replication lags, and as clients find the primary.
 */
export class RedisLinkage {
  readonly #server: Server;
  readonly #delayMs: number;
  readonly #sockets = new Set<Socket>();
  /** Whereto new connections lead; undefined: nowhere. */
  target: number | undefined;
  /** Nothing arrives any more. */
  isHeld = false;
  /** What is answered here to a command that begins a packet, which does not go on then. */
  readonly answers: Map<string, string> = new Map();

  private constructor(target: number, delayMs: number) {
    this.target = target;
    this.#delayMs = delayMs;
    this.#server = createServer((socket) => this.#connect(socket));
  }

  static async open(target: number, delayMs = 0): Promise<RedisLinkage> {
    const link = new RedisLinkage(target, delayMs);
    links.push(link);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.target = undefined;
    this.cut();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  #connect(near: Socket): void {
    if (this.target === undefined) return void near.destroy();
    const far = createConnection(this.target, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    near.on('data', (bytes) => {
      const [, name = ''] = /^\*\d+\r\n\$\d+\r\n(\w+)\r\n/.exec(bytes.toString('latin1', 0, 64)) ?? [];
      const answer = this.answers.get(name.toUpperCase());
      if (answer === undefined) far.write(bytes);
      else near.write(answer);
    });
    far.on('data', (bytes) => {
      if (this.isHeld) return;
      if (this.#delayMs === 0) near.write(bytes);
      else setTimeout(() => !near.destroyed && near.write(bytes), this.#delayMs);
    });
  }
}
