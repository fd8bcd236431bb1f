import { listen, refuseKeyPrefix } from './redis-client.ts';
import type { Emitter, IoredisClient, IoredisCluster, NodeRedisCluster, NodeRedisMember } from './redis-client.ts';
import type { RedisLink, RedisNode, Subscriber, Watcher } from './redis-client.ts';
import { AS_BYTES, IoredisLink, NodeRedisLink, destroy } from './redis-node.ts';
import { slotOf } from './redis-slot.ts';
import type { Argument, Reply } from './redis-wire.ts';

/** Between two attempts to listen. */
const AGAIN_MS = 50;

/** One server of a Cluster hears what is published on any; another is listened to when it is lost. */
class ClusterSubscriber implements Subscriber {
  readonly #choose: () => Promise<RedisNode>;
  readonly #onBack: () => void;
  readonly #listeners = new Map<string, (message: Buffer) => void>();
  #current!: Promise<Subscriber>; // by the constructor's begin
  #closed = false;

  /** `choose` gives one of the servers, another each time where there are several. */
  constructor(choose: () => Promise<RedisNode>, onBack: () => void) {
    this.#choose = choose;
    this.#onBack = onBack;
    this.#begin();
  }

  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    this.#listeners.set(channel, listener);
    for (;;) {
      const current = this.#current;
      try {
        await (await current).subscribe(channel, listener);
        if (current === this.#current) return;
      } catch (error) {
        if (current === this.#current) throw error;
      }
    }
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#listeners.delete(channel);
    await (await this.#current).unsubscribe(channel);
  }

  close(): void {
    this.#closed = true;
    retire(this.#current);
  }

  /** Until it listens, to whatever server. */
  #begin(): void {
    const isFirst = this.#listeners.size === 0;
    const current = this.#connect();
    this.#current = current;
    const listen = async (): Promise<void> => {
      const subscriber = await current;
      await Promise.all([...this.#listeners].map(([channel, listener]) => subscriber.subscribe(channel, listener)));
      if (current === this.#current && !isFirst) this.#onBack();
    };
    const again = (): void => {
      if (current !== this.#current || this.#closed) return;
      retire(current);
      this.#begin();
    };
    listen().catch(() => setTimeout(again, AGAIN_MS).unref());
  }

  async #connect(): Promise<Subscriber> {
    const node = await this.#choose();
    let isOver = false;
    const subscriber = node.subscriber(this.#onBack, () => {
      if (isOver) return;
      isOver = true;
      subscriber.close();
      if (!this.#closed) this.#begin();
    });
    return subscriber;
  }
}

function retire(subscriber: Promise<Subscriber>): void {
  subscriber.then(
    (begun) => begun.close(),
    () => undefined,
  );
}

/** Connections to servers of a Cluster that are told of when they are lost. */
class Sights {
  readonly #sights = new Map<string, { readonly of: Emitter; readonly end: () => void }>();
  #watcher: Watcher | undefined;

  begin(watcher: Watcher): () => void {
    this.#watcher = watcher;
    return () => {
      this.#watcher = undefined;
      for (const { end } of this.#sights.values()) end();
      this.#sights.clear();
    };
  }

  knows(owner: string): boolean {
    return this.#sights.has(owner);
  }

  /** `ends`: the events that say so. */
  see(owner: string, client: Emitter | undefined, ends: readonly string[]): void {
    const known = this.#sights.get(owner);
    if (client === undefined || known?.of === client || this.#watcher === undefined) return;
    known?.end();
    const left = (): void => {
      if (this.#sights.get(owner)?.of === client) this.#sights.delete(owner);
      end();
      this.#watcher?.left(owner);
    };
    const end = listen(client, Object.fromEntries(ends.map((event) => [event, left])));
    this.#sights.set(owner, { of: client, end });
  }
}

const noOwner = (): Error => new Error('CLUSTERDOWN no server of the Cluster is known to have this slot');

interface Root {
  readonly url?: string;
  readonly host?: string;
  readonly port?: number | string;
  readonly socket?: { readonly host?: string; readonly port?: number };
}

/** By the servers that the client was given, as they were written: without user and password. */
function placeOf(roots: unknown): string {
  const names = (Array.isArray(roots) ? (roots as (Root | string | number)[]) : []).map((root) => {
    if (typeof root === 'number') return `127.0.0.1:${root}`;
    const { url, host, port, socket } = typeof root === 'string' ? ({ url: root } as Root) : root;
    if (url !== undefined) return URL.canParse(url) ? new URL(url).host : url.replace(/^.*@/, '');
    return `${socket?.host ?? host ?? '127.0.0.1'}:${socket?.port ?? port ?? 6379}`;
  });
  return `cluster/${names.toSorted().join(',')}`;
}

/** A list's elements in turn. */
function* turns<T>(list: () => readonly T[]): Generator<T | undefined, never> {
  for (let turn = Math.floor(Math.random() * 1000); ; turn += 1) {
    const now = list();
    yield now[turn % Math.max(1, now.length)];
  }
}

/** `createCluster` of `redis`. */
export class NodeRedisClusterLink implements RedisLink {
  readonly place: string;
  readonly #client: NodeRedisCluster;
  readonly #sights = new Sights();
  #wasReady = false;

  constructor(client: NodeRedisCluster) {
    this.#client = client;
    const options = Reflect.get(client, '_options') as { rootNodes?: unknown } | undefined;
    refuseKeyPrefix({ keyPrefix: Reflect.get(client, '_keyPrefix') });
    this.place = placeOf(options?.rootNodes);
  }

  get isReady(): boolean {
    return this.#client.isReady ?? this.#client.isOpen;
  }

  /** Unlike the other clients of its package, it does not go on when it cannot connect at first. */
  wake(): void {
    const { isOpen } = this.#client;
    if (!isOpen && !this.#wasReady) this.#client.connect().catch(() => undefined);
  }

  send(args: readonly Argument[], key: string): Promise<Reply> {
    return this.#client.sendCommand(key, false, args, AS_BYTES) as Promise<Reply>;
  }

  ownerOf(key: string): string {
    this.#wasReady = true; // who has closed it since means so
    const member = this.#client.slots[slotOf(key)]?.master;
    if (member === undefined) return '';
    this.#sights.see(member.address, member.client, ['reconnecting', 'end']);
    return member.address;
  }

  nodeOf(key: string): Promise<RedisNode> {
    return this.#node(this.#client.slots[slotOf(key)]?.master);
  }

  watch(watcher: Watcher): () => void {
    const lost = (error?: unknown): void => {
      if (!this.isReady) watcher.lost(error);
    };
    const ends = [
      this.#sights.begin(watcher),
      listen(this.#client, { error: lost, disconnect: lost, connect: () => watcher.back() }),
    ];
    return () => ends.forEach((end) => end());
  }

  subscriber(onBack: () => void): Subscriber {
    const members = turns(() => this.#client.masters);
    return new ClusterSubscriber(() => this.#node(members.next().value), onBack);
  }

  end(): void {
    destroy(this.#client);
  }

  async #node(member: NodeRedisMember | undefined): Promise<RedisNode> {
    if (member === undefined) throw noOwner();
    return new NodeRedisLink(member.client ?? (await this.#client.nodeClient(member)));
  }
}

/** `Cluster` of `ioredis`. */
export class IoredisClusterLink implements RedisLink {
  readonly place: string;
  readonly #client: IoredisCluster;
  readonly #sights = new Sights();

  constructor(client: IoredisCluster) {
    this.#client = client;
    refuseKeyPrefix(client.options);
    this.place = placeOf(Reflect.get(client, 'startupNodes'));
  }

  get isReady(): boolean {
    return this.#client.status === 'ready';
  }

  wake(): void {
    if (this.#client.status === 'wait') this.#client.connect().catch(() => undefined);
  }

  send([command, ...args]: readonly Argument[]): Promise<Reply> {
    return this.#client.callBuffer(command as string, ...args) as Promise<Reply>;
  }

  ownerOf(key: string): string {
    const owner = this.#client.slots[slotOf(key)]?.[0] ?? '';
    if (!this.#sights.knows(owner)) this.#sights.see(owner, this.#find(owner), ['close', 'end']);
    return owner;
  }

  async nodeOf(key: string): Promise<RedisNode> {
    const node = this.#find(this.#client.slots[slotOf(key)]?.[0] ?? '');
    if (node === undefined) throw noOwner();
    return new IoredisLink(node);
  }

  watch(watcher: Watcher): () => void {
    const lost = (error?: unknown): void => {
      if (!this.isReady) watcher.lost(error);
    };
    const ends = [
      this.#sights.begin(watcher),
      listen(this.#client, { error: lost, close: lost, end: lost, ready: () => watcher.back() }),
    ];
    return () => ends.forEach((end) => end());
  }

  subscriber(onBack: () => void): Subscriber {
    const nodes = turns(() => this.#client.nodes('master'));
    return new ClusterSubscriber(async () => {
      const node = nodes.next().value;
      if (node === undefined) throw noOwner();
      return new IoredisLink(node);
    }, onBack);
  }

  end(): void {
    this.#client.disconnect();
  }

  #find(owner: string): IoredisClient | undefined {
    return this.#client.nodes('all').find(({ options }) => {
      const { host, port } = options as { host?: string; port?: number };
      return `${host}:${port}` === owner;
    });
  }
}
