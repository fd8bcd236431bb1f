// Owns a MemoryStore and serves it over a Unix socket: a store that several processes share, for tests only. What a
// killed process has sent may still be done, and nobody learns of it. argv: path of the socket
import { createServer } from 'node:net';
import { MemoryStore } from 'holdfast';
import { onMessage, send } from './wire.mjs';

const store = new MemoryStore();
const clients = new Set();

class Client {
  #socket;
  #memberships = new Map();

  constructor(socket) {
    this.#socket = socket;
    clients.add(this);
    onMessage(socket, (message) => void this.#answer(message));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#gone());
  }

  async #answer({ call, op, args, options }) {
    try {
      send(this.#socket, { call, value: await this.#do(op, args, options) });
    } catch ({ code, message, outcome }) {
      send(this.#socket, { call, error: { code, message, outcome } });
    }
  }

  async #do(op, args, options) {
    if (op === 'can') return store.can;
    if (op === 'alone') return alone();
    if (op === 'join') return this.#join(args[0], options);
    if (op === 'watch') return this.#memberships.get(args[0]).watch(args[1], options);
    if (op !== 'leave') return store[op](...args, options);
    await this.#memberships.get(args[0])?.leave();
    this.#memberships.delete(args[0]);
  }

  async #join(inbox, options) {
    const membership = await store.join((hint) => send(this.#socket, { inbox, hint }), options);
    const { member, epoch } = membership;
    this.#memberships.set(member, membership);
    return { member, epoch };
  }

  #gone() {
    clients.delete(this);
    for (const membership of this.#memberships.values()) void membership.leave();
  }
}

/** Resolves when all that other processes have sent is done: they have ended. */
async function alone() {
  while (clients.size > 1) await new Promise((resolve) => setTimeout(resolve, 5));
}

createServer((socket) => new Client(socket)).listen(process.argv[2], () => process.send('ready'));
process.on('disconnect', () => process.exit(0));
