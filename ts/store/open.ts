import { fileURLToPath } from 'node:url';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { checkOptions, clock as clockRule, flag } from '../options.ts';
import { absolute } from './folder.ts';
import { share } from './shared.ts';
import type { Store } from './store.ts';

export interface OpenOptions {
  /** Time, as the store is to see it. Default: the system's. */
  readonly clock?: Clock | undefined;
  /**
   * Of a folder: go on from files that are older than what was acknowledged, under a new epoch. Default: they are
   * refused.
   */
  readonly acceptOlder?: boolean | undefined;
}

const KNOWN =
  '`memory:` (a new one), `memory:name` (one for this process), the path of a folder, with or without `sqlite:` before it, or its `file://` URL, `redis://host:6379` or `rediss://` (a Redis server; `?cluster=true`: one of a Cluster)';
/** Two letters at least: `C:\sessions` is a folder. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

/**
 * The store of an address: `memory:` is a new one in the process's memory, `memory:name` the same one for all who open
 * it in this process until the last of them closes it; the path of a folder, also as `sqlite:folder` or `file://` URL,
 * is the embedded store there, made when missing. `redis://[user:password@]host[:port][/database][?prefix=hf]`, or
 * `rediss://` for TLS, is a Redis server, or with `?cluster=true` a Cluster that it is one of, reached over the package
 * `redis` or `ioredis`.
 *
 * The driver is imported when it is first needed. `close()` closes what was opened here. `ERR_INVALID`: an unknown
 * scheme, or a folder that holds something else. `ERR_CORRUPT`: a damaged store. `ERR_UNAVAILABLE`: driver, folder or
 * server cannot be opened or reached.
 */
export async function openStore(url: string | URL, options: OpenOptions = {}): Promise<Store> {
  const address = url instanceof URL ? url.href : url;
  if (typeof address !== 'string' || address === '')
    throw new HoldfastError('ERR_INVALID', `openStore takes the address of a store: ${KNOWN}`);
  checkOptions('openStore', options, { clock: clockRule, acceptOlder: flag });
  const place = parseAddress(address);
  if (place.kind === 'redis') return openRedis(place.url, options);
  return place.kind === 'memory' ? openMemory(place.name, options) : openFolder(place.dir, options);
}

/** Where an address leads to. */
export type Address =
  | { readonly kind: 'memory'; readonly name: string }
  | { readonly kind: 'redis'; readonly url: string }
  | { readonly kind: 'folder'; readonly dir: string };

/** `ERR_INVALID` for an unknown scheme, or one that names no folder. Whether the folder can be one is not looked at. */
export function parseAddress(address: string): Address {
  if (/^memory$/i.test(address))
    throw new HoldfastError(
      'ERR_INVALID',
      `'${address}' may be a folder or a store in memory: write ./${address} for the folder, or memory: for one in memory`,
    );
  const scheme = SCHEME.exec(address)?.[1]?.toLowerCase();
  if (scheme === undefined) return { kind: 'folder', dir: address };
  if (scheme === 'memory') return { kind: 'memory', name: address.slice('memory:'.length) };
  if (scheme === 'redis' || scheme === 'rediss') return { kind: 'redis', url: address };
  if (scheme === 'file') return { kind: 'folder', dir: folderOf(address) };
  if (scheme === 'sqlite') return { kind: 'folder', dir: folderAfter(address.slice('sqlite:'.length), address) };
  throw new HoldfastError(
    'ERR_INVALID',
    `'${scheme}:' is no known kind of store; an address is ${KNOWN}; a folder whose name has a colon is written ./${scheme}:…`,
  );
}

async function openMemory(name: string, { clock }: OpenOptions): Promise<Store> {
  const { MemoryStore } = await import('./memory.ts');
  const make = (): Store => new MemoryStore({ ...(clock && { clock }) });
  return name === '' ? make() : share(`memory:${name}`, clock, make);
}

async function openFolder(dir: string, { clock, acceptOlder }: OpenOptions): Promise<Store> {
  const place = absolute(dir);
  const { SqliteStore } = await import('./sqlite.ts');
  return SqliteStore.open({ dir: place, clock, acceptOlder });
}

async function openRedis(url: string, { clock }: OpenOptions): Promise<Store> {
  const { RedisStore } = await import('./redis.ts');
  return RedisStore.open(url, { clock });
}

/** What stands behind `sqlite:`, a path or `//` and an absolute one. */
function folderAfter(rest: string, address: string): string {
  if (rest.startsWith('//')) return folderOf(`file:${rest}`);
  if (rest !== '') return rest;
  throw new HoldfastError('ERR_INVALID', `'${address}' names no folder: write sqlite:path/to/folder`);
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function folderOf(address: string): string {
  const refuse = (what: string, cause?: unknown): never => {
    throw new HoldfastError('ERR_INVALID', `'${address}' names no folder: ${what}; write file:///path/to/folder`, {
      cause,
    });
  };
  // `file:sessions` would be taken from the root of the disk.
  if (!/^file:\/\//i.test(address)) return refuse('it must begin with file://');
  try {
    const { search, hash } = new URL(address);
    if (search !== '' || hash !== '') refuse('what follows ? or # means nothing here');
    return fileURLToPath(address);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    return refuse(textOf(cause), cause);
  }
}
