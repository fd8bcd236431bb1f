import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from './errors.ts';
import { packageFolder, requireLate, VERSION } from './package.ts';

/** What `crates/napi` exports. Errors' messages start with a code. */
export interface Addon {
  version(): string;
  diffInto(base: Uint8Array, target: Uint8Array, out: Uint8Array): number;
  applyInto(base: Uint8Array, delta: Uint8Array, limit: number, out: Uint8Array): number;
  graphDiffInto(base: Uint8Array, target: Uint8Array, out: Uint8Array): number;
  graphApplyInto(base: Uint8Array, delta: Uint8Array, limit: number, out: Uint8Array): number;
  applyInPlace(bytes: Uint8Array, delta: Uint8Array): number;
  signatureInto(base: Uint8Array, chunkBits: number, out: Uint8Array): number;
  diffSignatureInto(signature: Uint8Array, target: Uint8Array, out: Uint8Array): number;
  chunksInto(bytes: Uint8Array, averageBits: number, results: Uint32Array): number;
  applyChainInto(base: Uint8Array, deltas: Uint8Array[], limit: number, out: Uint8Array): number;
  diffBatch(bases: (Uint8Array | undefined)[], targets: Uint8Array[], out: Uint8Array, results: Uint32Array): number;
  hashBatch(values: Uint8Array[], results: Uint32Array): void;
  readonly StoreLink: new (wake: () => void) => StoreLink;
}

/** One user of one directory of the embedded store. Answers come by `drain`, each under the ticket of its question. */
export interface StoreLink {
  open(dir: string, acceptOlder: boolean, ticket: number, boundMs: number): void;
  /** Several requests, as an `Outbox` gathers them; copied. True: there are answers to drain already. */
  submit(requests: Uint8Array): boolean;
  /** Gives writes up; those of them that were not begun, and now never will be. */
  withdraw(tickets: readonly number[]): readonly number[];
  /** Bytes moved to `out`; negative: so many are needed, and none was moved. */
  drain(out: Uint8Array): number;
  close(ticket: number): void;
  disconnect(): void;
}

/** Names of binaries that may run here, the likelier first. */
function platforms(): string[] {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === 'linux') return [`${name}-gnu`, `${name}-musl`];
  if (process.platform === 'win32') return [`${name}-msvc`, `${name}-gnu`];
  return [name];
}

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n', 1)[0] as string) : String(error);

/** Those of `native/` in the package's folder, and packages of their own. */
function candidates(folder: string | undefined): string[] {
  return platforms().flatMap((platform) => {
    const file = folder === undefined ? '' : join(folder, `native/holdfast.${platform}.node`);
    if (existsSync(file)) return [file];
    return isInstalled(`@holdfast/${platform}`) ? [`@holdfast/${platform}`] : [];
  });
}

function isInstalled(name: string): boolean {
  try {
    requireLate.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** An addon of another version may mean something else by the same names. */
function checkVersion(addon: Partial<Addon>, source: string): Addon {
  const found = addon.version?.() ?? 'an older one';
  if (found !== VERSION)
    throw new Error(`'${source}' is of version ${found}, the package of ${VERSION}: build or install it anew`);
  return addon as Addon;
}

/** Undefined in a bundle that is alone; `lack` says so. */
function folderOrLack(): { readonly folder?: string; readonly lack?: HoldfastError } {
  try {
    return { folder: packageFolder() };
  } catch (error) {
    return { lack: error as HoldfastError };
  }
}

const BUILD = 'scripts/build-native.mjs';

/** What can be done where the package is: what is installed has no sources to build from. */
function remedyIn(folder: string | undefined): string {
  const install = 'install the package for this machine';
  return folder !== undefined && existsSync(join(folder, BUILD)) ? `run \`node ${BUILD}\`, or ${install}` : install;
}

function load(): Addon {
  const { folder, lack } = folderOrLack();
  const found = candidates(folder);
  const remedy = remedyIn(folder);
  if (found.length === 0)
    throw (
      lack ??
      new HoldfastError('ERR_UNAVAILABLE', `there is no addon for ${platforms()[0]}: ${remedy}`, { outcome: 'none' })
    );
  const failures: unknown[] = [];
  for (const source of found) {
    try {
      return checkVersion(requireLate(source) as Partial<Addon>, source);
    } catch (error) {
      failures.push(error);
    }
  }
  const message = `the addon for ${platforms()[0]} cannot be loaded: ${failures.map(textOf).join('; ')}; ${remedy}`;
  throw new HoldfastError('ERR_UNAVAILABLE', message, {
    outcome: 'none',
    cause: failures.length === 1 ? failures[0] : new AggregateError(failures),
  });
}

let loaded: Addon | undefined;

/** The addon; `ERR_UNAVAILABLE`, with the cause, where it cannot be loaded. */
export function loadAddon(): Addon {
  loaded ??= load();
  return loaded;
}
