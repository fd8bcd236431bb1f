// The store of a memory-server, as its clients see it: the contract over a socket.
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { HoldfastError } from 'holdfast';
import { systemClock } from '../../dist/clock.js';
import { Deadline } from '../../dist/store/deadline.js';
import { onMessage, send } from './wire.mjs';

const BOUND_MS = 10_000;

export class RemoteStore {
  can;
  #socket;
  #calls = 0;
  #pending = new Map();
  #inboxes = [];
  #closed = false;

  static async connect(path) {
    const socket = createConnection(path);
    await once(socket, 'connect');
    const store = new RemoteStore(socket);
    store.can = await store.#call('can', []);
    return store;
  }

  constructor(socket) {
    this.#socket = socket;
    onMessage(socket, (message) => this.#receive(message));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#broken());
  }

  read = (id, request, options) => this.#call('read', [id, request], options);
  append = (id, append, options) => this.#call('append', [id, append], options);
  replace = (id, image, expected, options) => this.#call('replace', [id, image, expected], options);
  lock = (id, request, options) => this.#call('lock', [id, request], options);
  unlock = (id, who, options) => this.#call('unlock', [id, who], options);
  touch = (id, touch, options) => this.#call('touch', [id, touch], options);
  list = (query, options) => this.#call('list', [query], options);
  inspect = (id, options) => this.#call('inspect', [id], options);
  sweep = (request, options) => this.#call('sweep', [request], options);
  promote = (above, options) => this.#call('promote', [above], options);
  ping = (options) => this.#call('ping', [], options);
  /** Resolves when every other client has ended. */
  alone = () => this.#call('alone', []);

  join = async (listener, options) => {
    const { member, epoch } = await this.#call('join', [this.#inboxes.push(listener) - 1], options);
    return {
      member,
      epoch,
      watch: (ids, given) => this.#call('watch', [member, ids], given),
      leave: () => this.#call('leave', [member]),
    };
  };

  close = async () => {
    this.#closed = true;
    await Promise.allSettled([...this.#pending.values()].map(({ answer }) => answer));
    this.#socket.destroy();
  };

  async #call(op, args, { timeoutMs = BOUND_MS, signal } = {}) {
    if (this.#closed) throw new HoldfastError('ERR_CLOSED', 'the store is closed: open another');
    const deadline = new Deadline(systemClock, { timeoutMs, signal }, BOUND_MS);
    deadline.check();
    if (this.#socket.destroyed)
      throw new HoldfastError('ERR_UNAVAILABLE', 'the server of the store is gone', { outcome: 'none' });
    const call = (this.#calls += 1);
    const answer = new Promise((resolve, reject) => this.#pending.set(call, { resolve, reject }));
    this.#pending.get(call).answer = answer;
    send(this.#socket, { call, op, args, options: { timeoutMs } });
    return deadline.bound(answer);
  }

  #receive({ call, value, error, inbox, hint }) {
    if (hint !== undefined) return this.#inboxes[inbox](hint);
    const { resolve, reject } = this.#pending.get(call);
    this.#pending.delete(call);
    if (error === undefined) resolve(value);
    else
      reject(
        error.code === undefined
          ? new Error(error.message)
          : new HoldfastError(error.code, error.message, { outcome: error.outcome }),
      );
  }

  #broken() {
    for (const { reject } of this.#pending.values())
      reject(new HoldfastError('ERR_UNAVAILABLE', 'the server of the store is gone', { outcome: 'unknown' }));
    this.#pending.clear();
  }
}
