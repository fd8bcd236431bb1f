import { statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Engine } from '../diff/differ.ts';
import { parseAddress } from '../store/open.ts';
import { redisPlaceOf } from '../store/redis-url.ts';
import { KEPT_BASES } from '../sync/base.ts';
import type { KeptBase } from '../sync/base.ts';
import { DIFFERENCING } from '../sync/differencing.ts';
import type { Differencing } from '../sync/differencing.ts';
import type { SaveMode } from '../tracking/classes.ts';

export const USAGE = `holdfast replay FILE…   drives recorded histories (.jsonl, .jsonl.br) through sessions, a primary and backups
  --store sqlite|memory|redis://HOST  where the sessions live (sqlite); on a Redis server under prefixes of their own, removed afterwards
  --record on|off       have each process write down its calls, and judge them (on where there are several)
  --history DIR         keep what was written down in new folders under DIR
  --dir DIR             keep the stores in new folders under DIR (a temporary directory, removed afterwards)
  --processes N         processes that take turns on every session (1)
  --backups N           backups fed by every save (0)
  --lock lazy|access    when a lock is given back: when another wants it, or after each use (lazy)
  --differ auto|binary|graph|off  how changed attributes travel: as deltas between bytes or between parts, or whole (auto)
  --base bytes|signature|store  what is kept of an attribute between saves: its bytes, the hashes of its chunks, or nothing (bytes)
  --save-mode MODE      what a save compares: write, mutable-access, access or all, as the option saveMode (write)
  --explain             tell of the ten largest steps what was sent and why; takes longer
  --engine native|js    implementation of the differ (native where it is built)
  --group N             edits per save (1)
  --max-steps N         steps read from each trace (all)
  --json                one JSON object per trace and line
holdfast check DIR      looks through the embedded store in DIR (or at sqlite:DIR, file:///DIR) while others use it; exit code 1 when something is damaged or missing, 2 when it could not look
holdfast copy DIR TO    makes a store of its own in the new folder TO, as of one moment, while others use DIR
holdfast compact DIR    gives unused room of the embedded store in DIR back to the disk; others wait meanwhile
holdfast inspect STORE [ID]  shows the sessions of a store (a folder, redis://HOST) by size and age; of one its lock, records and what they changed, without values
  --json                one JSON object (inspect, check, copy, compact); of what fails {"ok":false,"code","error"}
holdfast --help | --version`;

export interface ReplayOptions {
  readonly files: readonly string[];
  readonly store: 'memory' | 'sqlite' | 'redis';
  /** The address of the Redis server. */
  readonly server: string | undefined;
  readonly dir: string | undefined;
  /** Whether the workers write down their calls, to be judged. */
  readonly record: boolean;
  /** Where the histories are kept. */
  readonly history: string | undefined;
  readonly processes: number;
  readonly backups: number;
  readonly lock: 'lazy' | 'access';
  readonly differ: Differencing;
  readonly base: KeptBase;
  readonly saveMode: SaveMode;
  readonly explain: boolean;
  readonly engine: Engine | undefined;
  readonly group: number;
  readonly maxSteps: number;
  readonly json: boolean;
}

export interface CopyOptions extends StoreOptions {
  readonly to: string;
}

export interface InspectOptions {
  /** As `openStore` takes it. */
  readonly address: string;
  readonly id: string | undefined;
  readonly json: boolean;
}

export interface StoreOptions {
  readonly dir: string;
  readonly json: boolean;
}

export type Command =
  | { readonly verb: 'replay'; readonly options: ReplayOptions }
  | { readonly verb: 'check' | 'compact'; readonly options: StoreOptions }
  | { readonly verb: 'inspect'; readonly options: InspectOptions }
  | { readonly verb: 'copy'; readonly options: CopyOptions }
  | { readonly verb: 'help' }
  | { readonly verb: 'version' };

/** The command line is wrong; the message says how, in a line. */
export class UsageError extends Error {}

/** Throws `UsageError`. */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args);
  if (values.help === true) return { verb: 'help' };
  if (values.version === true) return { verb: 'version' };
  const [verb, ...files] = positionals;
  if (verb === 'check' || verb === 'compact')
    return { verb, options: { dir: folderOf(verb, files), json: values.json === true } };
  if (verb === 'copy') return { verb, options: { ...copyOf(files), json: values.json === true } };
  if (verb === 'inspect') return { verb, options: { ...inspectOf(files), json: values.json === true } };
  if (verb !== 'replay') throw new UsageError(verb === undefined ? 'no command is given' : `'${verb}' is no command`);
  if (files.length === 0) throw new UsageError('replay needs at least one file');
  for (const file of files) if (entryAt(file)?.isFile() !== true) throw new UsageError(`'${file}' is not a file`);
  const processes = count('processes', values.processes, 1, 64) ?? 1;
  const options: ReplayOptions = {
    files,
    ...storeOf(values.store),
    dir: values.dir,
    record:
      (oneOf('record', values.record, ['on', 'off']) ??
        (processes > 1 || values.history !== undefined ? 'on' : 'off')) === 'on',
    history: values.history,
    processes,
    backups: count('backups', values.backups, 0, 16) ?? 0,
    lock: oneOf('lock', values.lock, ['lazy', 'access']) ?? 'lazy',
    differ: oneOf('differ', values.differ, DIFFERENCING) ?? 'auto',
    base: oneOf('base', values.base, KEPT_BASES) ?? 'bytes',
    saveMode: oneOf('save-mode', values['save-mode'], ['write', 'mutable-access', 'access', 'all']) ?? 'write',
    explain: values.explain === true,
    engine: oneOf('engine', values.engine, ['native', 'js']),
    group: count('group', values.group, 1) ?? 1,
    maxSteps: count('max-steps', values['max-steps'], 0) ?? Infinity,
    json: values.json === true,
  };
  if (options.store === 'memory' && options.processes > 1)
    throw new UsageError('--store memory is the memory of one process: --processes must be 1');
  if (options.store !== 'sqlite' && options.dir !== undefined)
    throw new UsageError(`--store ${options.store} has no use for --dir`);
  if (options.history !== undefined && !options.record)
    throw new UsageError('--history keeps what is recorded: --record must be on');
  return { verb: 'replay', options };
}

function storeOf(value: string | undefined): Pick<ReplayOptions, 'store' | 'server'> {
  if (value === undefined || !/^rediss?:/i.test(value))
    return {
      store: oneOf('store', value, ['sqlite', 'memory', 'redis://HOST']) === 'memory' ? 'memory' : 'sqlite',
      server: undefined,
    };
  const { url, prefix } = asUsage(() => redisPlaceOf(value));
  if (prefix !== undefined) throw new UsageError('--store: each replay has a prefix of its own: leave it out');
  return { store: 'redis', server: url };
}

function inspectOf([address, id, ...others]: readonly string[]): Omit<InspectOptions, 'json'> {
  if (address === undefined || others.length > 0)
    throw new UsageError('inspect needs a store, and the id of a session at most');
  const isServer = asUsage(() => parseAddress(address)).kind === 'redis';
  return { address: isServer ? address : folderOf('inspect', [address]), id };
}

function copyOf([dir, to, ...others]: readonly string[]): Omit<CopyOptions, 'json'> {
  if (dir === undefined || to === undefined || others.length > 0)
    throw new UsageError('copy needs two folders: DIR, and the new one TO');
  return { dir: folderOf('copy', [dir]), to: pathOf(to) };
}

/** Of a store that is there: none is made. */
function folderOf(verb: string, [address, ...others]: readonly string[]): string {
  if (address === undefined || others.length > 0) throw new UsageError(`${verb} needs one folder`);
  const dir = pathOf(address);
  const found = entryAt(dir);
  if (found === undefined) throw new UsageError(`there is no folder '${dir}'`);
  if (!found.isDirectory()) throw new UsageError(`'${dir}' is not a folder`);
  if (entryAt(join(dir, 'store.sqlite'))?.isFile() !== true) throw new UsageError(`'${dir}' holds no embedded store`);
  return dir;
}

/** Of a folder as `openStore` takes it. */
function pathOf(address: string): string {
  const place = asUsage(() => parseAddress(address));
  if (place.kind === 'redis') throw new UsageError('a Redis server is looked after with its own tools: name a folder');
  if (place.kind === 'memory') throw new UsageError(`'${address}' is in the memory of one process: name a folder`);
  return place.dir;
}

function entryAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A path that leads through a file is a slip of the command line; what else the system says is not.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') throw new UsageError((error as Error).message);
    throw error;
  }
}

/** What it throws is a fault of the command line. */
function asUsage<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n')[0]);
  }
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const known = {
  store: text, dir: text, record: text, history: text, processes: text, backups: text, lock: text, differ: text, base: text, engine: text, group: text,
  'max-steps': text, 'save-mode': text, explain: flag, json: flag, help: { ...flag, short: 'h' }, version: flag,
} as const; // prettier-ignore

type Parsed = ReturnType<typeof parseArgs<{ options: typeof known; allowPositionals: true }>>;

function parse(args: readonly string[]): Parsed {
  return asUsage(() => parseArgs({ args: [...args], options: known, allowPositionals: true }));
}

function oneOf<const T extends string>(name: string, value: string | undefined, choices: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const choice = choices.find((each) => each === value);
  if (choice === undefined) throw new UsageError(`--${name} must be ${choices.join(' or ')}, not '${value}'`);
  return choice;
}

function count(
  name: string,
  value: string | undefined,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (!(number >= least && number <= most)) {
    throw new UsageError(
      `--${name} must be a whole number, ${most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `${least} to ${most}`}, not '${value}'`,
    );
  }
  return number;
}
