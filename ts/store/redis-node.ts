import { listen, refuseKeyPrefix } from './redis-client.ts';
import type { IoredisClient, Listener, NodeRedisClient, NodeRedisSentinel } from './redis-client.ts';
import type { RedisLink, RedisNode, RedisQueue, Subscriber, Watcher } from './redis-client.ts';
import { RedisDatabase } from './redis-database.ts';
import type { Argument, Reply } from './redis-wire.ts';

interface Placed {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** Of a socket. */
  readonly path?: string | null | undefined;
}

const placeAt = ({ host = 'localhost', port = 6379, path }: Placed, database = 0): string =>
  typeof path === 'string' ? `${path}/${database}` : `${host === 'localhost' ? '127.0.0.1' : host}:${port}/${database}`;

const placeOf = ({ host = '127.0.0.1', port = 26_379 }: Placed): string => `${host}:${port}`;

/** Clients of Sentinels, in this process. */
let sentinels = 0;

/** RESP's types: bytes come as such, maps as lists. */
export const AS_BYTES: object = { typeMapping: { 36: Buffer, 37: Array } };

/** A client of `redis` of one server, or of the primary that Sentinels name. */
export class NodeRedisLink implements RedisLink, RedisNode {
  readonly place: string;
  readonly #client: NodeRedisClient | NodeRedisSentinel;

  constructor(client: NodeRedisClient | NodeRedisSentinel) {
    this.#client = client;
    refuseKeyPrefix({ keyPrefix: Reflect.get(client, '_keyPrefix') });
    if ('getMasterNode' in client) {
      this.place = `sentinel/${(sentinels += 1)}`; // it does not tell whom it asks
      return;
    }
    const { socket, database } = (client.options ?? {}) as { socket?: Placed; database?: number };
    this.place = placeAt(socket ?? {}, database);
  }

  get isReady(): boolean {
    return this.#client.isReady === true;
  }

  wake(): void {
    // its user connects it
  }

  send(args: readonly Argument[]): Promise<Reply> {
    const client = this.#client;
    const sent =
      'getMasterNode' in client ? client.sendCommand(false, args, AS_BYTES) : client.sendCommand(args, AS_BYTES);
    return sent as Promise<Reply>;
  }

  ownerOf(): string {
    return this.place;
  }

  nodeOf(): Promise<RedisNode> {
    return Promise.resolve(this);
  }

  watch(watcher: Watcher): () => void {
    const lost = (error?: unknown): void => {
      if (!this.isReady) watcher.lost(error);
    };
    const back = (): void => watcher.back();
    const single = { error: lost, reconnecting: lost, end: lost, ready: back };
    if (!('getMasterNode' in this.#client)) return listen(this.#client, single);
    // A client of Sentinels stays ready while its connections come and go.
    const told = ofPrimary(back);
    return listen(this.#client, { ...single, 'topology-change': told, 'client-error': told });
  }

  subscriber(onBack: () => void, onLost: () => void = () => undefined): Subscriber {
    const client = this.#client.duplicate();
    listen(client, { error: () => undefined, reconnecting: onLost, end: onLost });
    // From then on it has subscribed again when it is ready.
    const connecting = client
      .connect()
      .then(() => listen(client, { ready: onBack, 'topology-change': ofPrimary(onBack) }));
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
    const link = new NodeRedisLink(client);
    const connecting = client.connect();
    connecting.catch(() => undefined); // who sends learns of it
    return {
      send: async (args) => {
        await connecting;
        return link.send(args);
      },
      end: () => destroy(client),
    };
  }

  end(): void {
    destroy(this.#client);
  }
}

/** Of what a client of Sentinels tells: what is about the primary. */
const ofPrimary =
  (listener: () => void): Listener =>
  (event) => {
    if (String((event as { type?: unknown }).type).startsWith('MASTER')) listener();
  };

export function destroy(client: { readonly isOpen: boolean; destroy(): unknown }): void {
  if (client.isOpen) void Promise.resolve(client.destroy()).catch(() => undefined);
}

/** What is sent waits for a connection. */
const CONNECTS_ON = { enableOfflineQueue: true, lazyConnect: false, maxRetriesPerRequest: null };

interface IoredisOptions extends Placed {
  readonly db?: number;
  readonly sentinels?: readonly Placed[] | null;
  readonly name?: string;
}

/** A client of `ioredis` of one server, or of the primary that Sentinels name. */
export class IoredisLink implements RedisLink, RedisNode {
  readonly place: string;
  readonly #client: IoredisClient;
  readonly #database: RedisDatabase;

  constructor(client: IoredisClient) {
    this.#client = client;
    refuseKeyPrefix(client.options);
    const { db, sentinels, name, ...placed } = client.options as IoredisOptions;
    this.place = Array.isArray(sentinels)
      ? `sentinel/${sentinels.map(placeOf).toSorted().join(',')}/${name}/${db ?? 0}`
      : placeAt(placed, db);
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

  ownerOf(): string {
    return this.place;
  }

  nodeOf(): Promise<RedisNode> {
    return Promise.resolve(this);
  }

  watch(watcher: Watcher): () => void {
    const lost = (error?: unknown): void => {
      if (!this.isReady) watcher.lost(error);
    };
    const closed = (): void => {
      this.#database.forget();
      lost();
    };
    return listen(this.#client, { error: lost, close: closed, end: lost, ready: () => watcher.back() });
  }

  subscriber(onBack: () => void, onLost: () => void = () => undefined): Subscriber {
    // Who subscribes early does so before the server is asked whether it is ready, which a subscriber may not ask.
    const client = this.#client.duplicate({ ...CONNECTS_ON, autoResubscribe: false, enableReadyCheck: false });
    const listeners = new Map<string, (message: Buffer) => void>();
    listen(client, {
      error: () => undefined,
      close: onLost,
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
