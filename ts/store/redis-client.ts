import { HoldfastError } from '../errors.ts';
import { RedisDatabase } from './redis-database.ts';
import type { Argument, Reply } from './redis-wire.ts';

type Listener = (...given: unknown[]) => void;

interface Emitter {
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

/** The part of a client of the package `redis` that is used here. */
export interface NodeRedisClient extends Emitter {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  readonly options?: unknown;
  connect(): Promise<unknown>;
  destroy(): unknown;
  sendCommand(args: readonly Argument[], options?: object): Promise<unknown>;
  duplicate(): NodeRedisClient;
  subscribe(channel: string, listener: (message: Buffer) => void, bufferMode: true): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
}

/** The part of a client of the package `ioredis` that is used here. */
export interface IoredisClient extends Emitter {
  readonly status: string;
  readonly options: object;
  connect(): Promise<unknown>;
  disconnect(): unknown;
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>;
  duplicate(options?: object): IoredisClient;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
}

export type RedisClient = NodeRedisClient | IoredisClient;

/** Channels that are listened to on a connection of their own, again after each loss of it. */
export interface Subscriber {
  subscribe(channel: string, listener: (message: Buffer) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  close(): void;
}

/** A connection of its own, for commands that block. */
export interface RedisQueue {
  send(args: readonly Argument[]): Promise<Reply>;
  end(): void;
}

/** A client, whichever it is. */
export interface RedisLink {
  /** Host, port and number of the database. */
  readonly place: string;
  readonly isReady: boolean;
  /** Asks for a connection, where the client waits to be asked. */
  wake(): void;
  /** Bytes come as such. Rejects with the client's errors, and those that the server answers. */
  send(args: readonly Argument[]): Promise<Reply>;
  /** Until what it returns is called. Errors of the connection, which the client tells as events, end here. */
  watch(onLost: (error?: unknown) => void, onBack: () => void): () => void;
  /** Connects on; `onBack`: it was lost, and so may messages have been. */
  subscriber(onBack: () => void): Subscriber;
  /** Connects on. */
  queue(): RedisQueue;
  /** Ends the client. */
  end(): void;
}

const invalid = (what: string): HoldfastError => new HoldfastError('ERR_INVALID', `RedisStore: ${what}`);
const hasMethods = (value: unknown, ...names: readonly string[]): boolean =>
  typeof value === 'object' && value !== null && names.every((name) => typeof Reflect.get(value, name) === 'function');

/** `ERR_INVALID`: it is no client of a single server. */
export function linkOf(client: RedisClient): RedisLink {
  if (hasMethods(client, 'nodes') || Reflect.get(Object(client), 'masters') !== undefined)
    throw invalid('this is a client of a Cluster, which is not supported: pass one of a single server');
  if (hasMethods(client, 'getSentinelNode'))
    throw invalid('this is a client of Sentinels, which is not supported: pass one of a single server');
  if (hasMethods(client, 'callBuffer', 'duplicate', 'subscribe', 'on', 'off'))
    return new IoredisLink(client as IoredisClient);
  if (hasMethods(client, 'sendCommand', 'duplicate', 'subscribe', 'on', 'off'))
    return new NodeRedisLink(client as NodeRedisClient);
  throw invalid('`client` must be a client of the package `redis` (5 or later) or `ioredis` (5 or later)');
}

const placeAt = (host = 'localhost', port = 6379, database = 0): string =>
  `${host === 'localhost' ? '127.0.0.1' : host}:${port}/${database}`;

/** Calls these listeners until what it returns is called. */
function listen(emitter: Emitter, listeners: Readonly<Record<string, Listener>>): () => void {
  for (const [event, listener] of Object.entries(listeners)) emitter.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) emitter.off(event, listener);
  };
}

/** RESP's types: bytes come as such, maps as lists. */
const AS_BYTES = { typeMapping: { 36: Buffer, 37: Array } };

class NodeRedisLink implements RedisLink {
  readonly place: string;
  readonly #client: NodeRedisClient;

  constructor(client: NodeRedisClient) {
    this.#client = client;
    const { socket, database } = (client.options ?? {}) as {
      socket?: { host?: string; port?: number; path?: string };
      database?: number;
    };
    this.place =
      socket?.path === undefined ? placeAt(socket?.host, socket?.port, database) : `${socket.path}/${database ?? 0}`;
  }

  get isReady(): boolean {
    return this.#client.isReady;
  }

  wake(): void {
    // its user connects it
  }

  send(args: readonly Argument[]): Promise<Reply> {
    return this.#client.sendCommand(args, AS_BYTES) as Promise<Reply>;
  }

  watch(onLost: (error?: unknown) => void, onBack: () => void): () => void {
    const lost = (error?: unknown): void => {
      if (!this.#client.isReady) onLost(error);
    };
    return listen(this.#client, { error: lost, reconnecting: lost, end: lost, ready: onBack });
  }

  subscriber(onBack: () => void): Subscriber {
    const client = this.#client.duplicate();
    listen(client, { error: () => undefined });
    // From then on it has subscribed again when it is ready.
    const connecting = client.connect().then(() => listen(client, { ready: onBack }));
    connecting.catch(() => undefined); // who subscribes learns of it
    return {
      subscribe: async (channel, listener) => {
        await connecting;
        await client.subscribe(channel, listener, true);
      },
      unsubscribe: (channel) => client.unsubscribe(channel),
      close: () => destroy(client),
    };
  }

  queue(): RedisQueue {
    const client = this.#client.duplicate();
    listen(client, { error: () => undefined });
    client.connect().catch(() => undefined); // who sends learns of it
    return new NodeRedisLink(client);
  }

  end(): void {
    destroy(this.#client);
  }
}

function destroy(client: NodeRedisClient): void {
  if (client.isOpen) client.destroy();
}

/** What is sent waits for a connection. */
const CONNECTS_ON = { enableOfflineQueue: true, lazyConnect: false, maxRetriesPerRequest: null };

class IoredisLink implements RedisLink {
  readonly place: string;
  readonly #client: IoredisClient;
  readonly #database: RedisDatabase;

  constructor(client: IoredisClient) {
    this.#client = client;
    const { host, port, path, db, keyPrefix } = client.options as {
      host?: string;
      port?: number;
      path?: string | null;
      db?: number;
      keyPrefix?: string;
    };
    if (keyPrefix !== undefined && keyPrefix !== '')
      throw invalid(
        "the client has a `keyPrefix`, which the store's messages would not have: give the store a `prefix` instead",
      );
    this.place = typeof path === 'string' ? `${path}/${db ?? 0}` : placeAt(host, port, db);
    this.#database = new RedisDatabase(client, db ?? 0, this.place);
  }

  get isReady(): boolean {
    return this.#client.status === 'ready';
  }

  wake(): void {
    if (this.#client.status === 'wait') this.#client.connect().catch(() => undefined);
  }

  async send([command, ...args]: readonly Argument[]): Promise<Reply> {
    const selected = this.#database.selected();
    if (selected !== undefined) await selected;
    return this.#client.callBuffer(command as string, ...args) as Promise<Reply>;
  }

  watch(onLost: (error?: unknown) => void, onBack: () => void): () => void {
    const lost = (error?: unknown): void => {
      if (!this.isReady) onLost(error);
    };
    const closed = (): void => {
      this.#database.forget();
      lost();
    };
    return listen(this.#client, { error: lost, close: closed, end: lost, ready: onBack });
  }

  subscriber(onBack: () => void): Subscriber {
    // Who subscribes early does so before the server is asked whether it is ready, which a subscriber may not ask.
    const client = this.#client.duplicate({ ...CONNECTS_ON, autoResubscribe: false, enableReadyCheck: false });
    const listeners = new Map<string, (message: Buffer) => void>();
    listen(client, {
      error: () => undefined,
      messageBuffer: (channel, message) => listeners.get(String(channel))?.(message as Buffer),
      ready: () => {
        if (listeners.size > 0) client.subscribe(...listeners.keys()).then(onBack, () => undefined);
      },
    });
    return {
      subscribe: async (channel, listener) => {
        await client.subscribe(channel);
        listeners.set(channel, listener);
      },
      unsubscribe: async (channel) => {
        listeners.delete(channel);
        await client.unsubscribe(channel);
      },
      close: () => void client.disconnect(),
    };
  }

  queue(): RedisQueue {
    const client = this.#client.duplicate(CONNECTS_ON);
    listen(client, { error: () => undefined });
    return new IoredisLink(client);
  }

  end(): void {
    this.#client.disconnect();
  }
}
