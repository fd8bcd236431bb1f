import { HoldfastError } from '../errors.ts';
import type { Argument, Reply } from './redis-wire.ts';

export type Listener = (...given: unknown[]) => void;

export interface Emitter {
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

/** What clients of the package `redis` have in common, here. */
interface NodeRedisBase extends Emitter {
  readonly isOpen: boolean;
  /** Clients of a Cluster have it from version 5.9 on. */
  readonly isReady?: boolean;
  connect(): Promise<unknown>;
  destroy(): unknown;
}

/** The part of a client of the package `redis` that is used here. */
export interface NodeRedisClient extends NodeRedisBase {
  readonly options?: unknown;
  sendCommand(args: readonly Argument[], options?: object): Promise<unknown>;
  duplicate(): NodeRedisClient;
  subscribe(channel: string, listener: (message: Buffer) => void, bufferMode: true): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
}

/** The same of its `createSentinel`. */
export interface NodeRedisSentinel extends NodeRedisBase {
  sendCommand(isReadonly: boolean, args: readonly Argument[], options?: object): Promise<unknown>;
  getMasterNode(): unknown;
  duplicate(): NodeRedisSentinel;
  subscribe(channel: string, listener: (message: Buffer) => void, bufferMode: true): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
}

export interface NodeRedisMember {
  readonly address: string;
  readonly client?: NodeRedisClient | undefined;
}

/** The same of its `createCluster`. */
export interface NodeRedisCluster extends NodeRedisBase {
  readonly masters: readonly NodeRedisMember[];
  readonly slots: readonly ({ readonly master: NodeRedisMember } | undefined)[];
  nodeClient(node: NodeRedisMember): Promise<NodeRedisClient>;
  sendCommand(firstKey: string, isReadonly: boolean, args: readonly Argument[], options?: object): Promise<unknown>;
}

/** The part of a client of the package `ioredis` that is used here, which may find its server by Sentinels. */
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

/** The same of its `Cluster`. */
export interface IoredisCluster extends Emitter {
  readonly status: string;
  readonly options: object;
  readonly slots: readonly (readonly string[] | undefined)[];
  connect(): Promise<unknown>;
  disconnect(): unknown;
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>;
  nodes(role: 'all' | 'master'): readonly IoredisClient[];
}

export type RedisClient = NodeRedisClient | NodeRedisSentinel | NodeRedisCluster | IoredisClient | IoredisCluster;

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

/** What became of connections. */
export interface Watcher {
  /** There is none. */
  lost(error?: unknown): void;
  /** There is one again, perhaps to another server. */
  back(): void;
  /** The one to this server of a Cluster was lost. */
  left(owner: string): void;
}

/** A client of one server, whichever package it is of. */
export interface RedisNode {
  /** Bytes come as such. Rejects with the client's errors, and those that the server answers. */
  send(args: readonly Argument[]): Promise<Reply>;
  /** Connects on; `onBack`: it was lost, and so may messages have been. */
  subscriber(onBack: () => void, onLost?: () => void): Subscriber;
  queue(): RedisQueue;
}

/** A client, whichever it is, of one server or of a Cluster. */
export interface RedisLink {
  /** Host, port and number of the database. */
  readonly place: string;
  readonly isReady: boolean;
  /** Asks for a connection, where the client waits to be asked. */
  wake(): void;
  /** To the server that has the key, wherever it is by then. */
  send(args: readonly Argument[], key: string): Promise<Reply>;
  /** The server that has the key, as far as the client knows. */
  ownerOf(key: string): string;
  nodeOf(key: string): Promise<RedisNode>;
  /** Until what it returns is called. Errors of the connection, which the client tells as events, end here. */
  watch(watcher: Watcher): () => void;
  subscriber(onBack: () => void): Subscriber;
  /** Ends the client. */
  end(): void;
}

export const invalid = (what: string): HoldfastError => new HoldfastError('ERR_INVALID', `RedisStore: ${what}`);

/** A prefix of the client's would stand before keys, and not before channels. */
export function refuseKeyPrefix({ keyPrefix }: { readonly keyPrefix?: unknown }): void {
  if (keyPrefix !== undefined && keyPrefix !== '')
    throw invalid(
      "the client has a `keyPrefix`, which the store's messages would not have: give the store a `prefix` instead",
    );
}

/** Calls these listeners until what it returns is called. */
export function listen(emitter: Emitter, listeners: Readonly<Record<string, Listener>>): () => void {
  for (const [event, listener] of Object.entries(listeners)) emitter.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) emitter.off(event, listener);
  };
}
