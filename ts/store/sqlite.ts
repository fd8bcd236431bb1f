import { channel } from 'node:diagnostics_channel';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAddon } from '../addon.ts';
import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { checkOptions, clock as clockRule, flag, text } from '../options.ts';
import { AddonLink } from './addon-link.ts';
import { bootId } from './boot.ts';
import { absolute, checkFolder } from './folder.ts';
import { SocketInbox } from './inbox.ts';
import { LONG_LOG } from './log-watch.ts';
import { BOUND_MS, SqliteBackend } from './sqlite-backend.ts';
import type { StoreCheck } from './sqlite-check.ts';
import type { SqliteLink } from './sqlite-link.ts';
import { SWEEP_RULES } from './sweeper.ts';
import type { SweepOptions } from './sweeper.ts';
import { TransactionalStore } from './transactional.ts';

export type { StoreCheck } from './sqlite-check.ts';

export interface SqliteStoreOptions extends SweepOptions {
  /**
   * Folder of the database; made when missing, for its owner alone. On a local disk. Every process on the machine that
   * opens it shares the sessions.
   */
  readonly dir: string;
  readonly clock?: Clock | undefined;
  /**
   * Go on from files that are older than what was acknowledged, under a new epoch: whoever knows the newer state is
   * fenced. Default: refuse them.
   */
  readonly acceptOlder?: boolean | undefined;
}

/**
 * Sessions in a SQLite database: several processes and worker threads of one machine, no server. A call is acknowledged
 * when it is committed and flushed to disk: it survives the death of every process, and of the machine as far as its
 * disk keeps what it was told to flush; what moves nothing but locks is not flushed. Calls made at the same time share
 * a flush. Recalls travel over Unix sockets. Nothing waits on the JavaScript thread: only
 * short reads whose pages are in memory are done there. A call that names no bound of its
 * own rejects after 10 s.
 */
export class SqliteStore extends TransactionalStore {
  readonly address: string;
  readonly #backend: SqliteBackend;

  private constructor(address: string, backend: SqliteBackend, clock: Clock, options: SqliteStoreOptions) {
    if (!(backend instanceof SqliteBackend))
      throw new HoldfastError(
        'ERR_INVALID',
        'a SqliteStore is not made with new: await SqliteStore.open({ dir }), or openStore(dir)',
      );
    super(backend, {
      ...options,
      clock,
      can: { durability: ['fsync'], watch: false, find: true },
      boundMs: BOUND_MS,
      boot: bootId(),
    });
    this.address = address;
    this.#backend = backend;
  }

  /**
   * Looks through structure, rows and records, while others use them: checksums, and that no record is missing.
   * `onSession` is called after each.
   */
  check(onSession: (done: number) => void = () => undefined): Promise<StoreCheck> {
    return this.#backend.check(onSession);
  }

  /**
   * Gives unused room back to the disk, for which as much is needed meanwhile. Who writes waits until it is done, or
   * its bound.
   */
  async compact(): Promise<void> {
    await this.#backend.compact();
  }

  /**
   * Makes a store of its own in folder `to`, as of one moment, while others write; takes an hour at most.
   * `ERR_INVALID`: there is a store already.
   */
  async copy(to: string): Promise<void> {
    if (typeof to !== 'string' || to === '' || to.includes('\0'))
      throw new HoldfastError('ERR_INVALID', 'copy needs the path of a folder that holds no store');
    const place = absolute(to);
    await checkFolder(place, 'copy');
    await this.#backend.copy(place);
  }

  /**
   * `ERR_INVALID`: the folder holds something else, or is on a network file system. `ERR_CORRUPT`: damaged, or older
   * than what was acknowledged. `ERR_UNAVAILABLE`: no addon, no access, or others kept it busy.
   */
  static async open(options: SqliteStoreOptions): Promise<SqliteStore> {
    checkOptions('SqliteStore.open', options ?? {}, { dir: text, clock: clockRule, acceptOlder: flag, ...SWEEP_RULES });
    const { dir: asked, clock = systemClock, acceptOlder = false } = options ?? {};
    if (typeof asked !== 'string' || asked === '')
      throw new HoldfastError('ERR_INVALID', 'SqliteStore needs `dir`, the path of a folder');
    const dir = absolute(asked);
    await checkFolder(dir);
    const link = await openLink(dir, acceptOlder).catch((error: unknown) => {
      throw located(error, dir);
    });
    try {
      const path = await realpath(dir);
      return new SqliteStore(`sqlite:${path}`, new SqliteBackend(link, new SocketInbox(path)), clock, options);
    } catch (cause) {
      await link.close(BOUND_MS);
      throw new HoldfastError('ERR_UNAVAILABLE', `'${dir}' was deleted while it was opened: open it again`, {
        cause,
        outcome: 'none',
      });
    }
  }
}

/** What was said of a store by those who do not know its folder; who opens several must know which it is. */
function located(error: unknown, dir: string): unknown {
  if (!(error instanceof HoldfastError) || !error.message.startsWith(SAID) || error.message.includes(dir)) return error;
  const { code, message, outcome, cause } = error;
  return new HoldfastError(code, `SQLite in '${dir}': ${message.slice(SAID.length)}`, { outcome, cause });
}

const SAID = 'SQLite: ';

/**
 * Through the addon; where there is none through a thread and another SQLite. The environment's `HOLDFAST_SQLITE`
 * forces one: `addon`, or a module's name.
 */
async function openLink(dir: string, acceptOlder: boolean): Promise<SqliteLink> {
  const forced = process.env['HOLDFAST_SQLITE'] || undefined;
  const onLog = (bytes: number): void => tellLog(dir, bytes);
  const lack = forced === undefined || forced === 'addon' ? lackOfAddon() : undefined;
  if (lack === undefined && (forced === undefined || forced === 'addon'))
    return AddonLink.open(dir, acceptOlder, BOUND_MS, onLog);
  if (forced === 'addon') throw lack;
  const { ThreadLink } = await import('./thread-link.ts');
  try {
    return await ThreadLink.open(dir, acceptOlder, BOUND_MS, { name: forced, onLog });
  } catch (error) {
    const { code, message } = error as HoldfastError;
    if (lack === undefined || code !== 'ERR_UNAVAILABLE' || message === lack.message) throw error;
    throw new HoldfastError('ERR_UNAVAILABLE', `${lack.message}; nor does it go without: ${message}`, {
      cause: lack,
      outcome: 'none',
    });
  }
}

const LOG_CHANNEL = channel('holdfast:log-length');

function tellLog(dir: string, bytes: number): void {
  if (LOG_CHANNEL.hasSubscribers) LOG_CHANNEL.publish({ type: 'log-length', dir, bytes });
  if (bytes <= LONG_LOG) return; // it was longer
  process.emitWarning(
    `'${join(dir, 'store.sqlite-wal')}' has grown to ${Math.round(bytes / 2 ** 20)} MB: a process that has the store open was stopped while it read, or reads on and on; let it go on or end it, and the log is shortened within 10 s`,
    'HoldfastWarning',
  );
}

function lackOfAddon(): HoldfastError | undefined {
  try {
    loadAddon();
    return undefined;
  } catch (error) {
    return error as HoldfastError;
  }
}
