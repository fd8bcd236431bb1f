import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, lstatSync, mkdirSync, realpathSync, rmdirSync, unlinkSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { HoldfastError } from '../errors.ts';
import type { Hint, Membership } from './store.ts';

/** Unix socket paths are cut off after 104 bytes on macOS and 108 on Linux; a file name here takes 14. */
const LONGEST_FOLDER = 88;
const LONGEST_LINE = 4096;
/** A peer that has not taken this many bytes is stopped, and misses its hints. */
const MOST_UNSENT = 65_536;
const SOCKET = /^[0-9a-f]{8}\.sock$/;
/** Sockets of others that are looked at when one begins to listen. */
const MOST_LOOKED_AT = 64;
/** One this new may be just about to listen. */
const NEW_MS = 1000;

/**
 * Carries hints between the processes that share a directory, as lines of JSON over one Unix socket (a named pipe on
 * Windows) per process. Nothing is promised: a peer that is gone or full simply misses its hint.
 */
export class SocketInbox {
  readonly #folder: string;
  readonly #name = randomBytes(4).toString('hex');
  readonly #listeners = new Map<string, (hint: Hint) => void>();
  readonly #peers = new Map<string, Socket>();
  readonly #incoming = new Set<Socket>();
  #listening: Promise<Server> | undefined;
  #tidying: Promise<void> | undefined;
  #closed = false;
  #members = 0;

  constructor(dir: string) {
    this.#folder = socketFolder(realpathSync(dir));
  }

  /** A member's name says where its socket is: `<process>.<number>`. */
  async join(listener: (hint: Hint) => void): Promise<Pick<Membership, 'member' | 'leave'>> {
    this.#checkOpen();
    this.#listening ??= this.#listen();
    this.#listening.catch(() => (this.#listening = undefined)); // the next to join tries again
    await this.#listening;
    this.#checkOpen();
    const member = `${this.#name}.${(this.#members += 1)}`;
    this.#listeners.set(member, listener);
    return {
      member,
      leave: async () => {
        this.#listeners.delete(member);
      },
    };
  }

  send(member: string, hint: Hint): void {
    const local = this.#listeners.get(member);
    if (local !== undefined) queueMicrotask(() => this.#listeners.get(member)?.(hint));
    else {
      const peer = this.#peer(member.split('.', 1)[0] as string);
      if (peer.writableLength < MOST_UNSENT) peer.write(`${JSON.stringify({ member, hint })}\n`);
    }
  }

  /** What begins to listen meanwhile is waited for: closing it removes its file. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    for (const socket of [...this.#peers.values(), ...this.#incoming]) socket.destroy();
    const server = await this.#listening?.catch(() => undefined);
    if (server === undefined) return;
    await Promise.all([this.#tidying, new Promise((resolve) => server.close(resolve))]);
    removeIfEmpty(this.#folder);
  }

  #checkOpen(): void {
    if (this.#closed) throw new HoldfastError('ERR_CLOSED', 'the SQLite store is closed: open another');
  }

  #address(name: string): string {
    return join(this.#folder, `${name}.sock`);
  }

  async #listen(): Promise<Server> {
    const address = this.#address(this.#name);
    try {
      makeFolder(this.#folder);
      const server = createServer((socket) => this.#receive(socket));
      server.listen(address);
      await once(server, 'listening');
      server.on('error', () => undefined); // a connection that could not be accepted, for want of files: its hint is lost
      if (process.platform !== 'win32') this.#tidying = this.#tidy(address).catch(() => undefined);
      return server.unref();
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new HoldfastError('ERR_UNAVAILABLE', `cannot listen on '${address}' for recalls: ${message}`, { cause });
    }
  }

  /**
   * Those who were killed leave their sockets behind. Processes begin at different places, so that together they come
   * round.
   */
  async #tidy(own: string): Promise<void> {
    const { mtimeMs } = await lstat(own);
    const names = (await readdir(this.#folder)).filter((name) => SOCKET.test(name)).toSorted();
    const start = names.indexOf(basename(own)) + 1;
    for (const name of [...names.slice(start), ...names.slice(0, start - 1)].slice(0, MOST_LOOKED_AT)) {
      if (this.#closed) return;
      const path = join(this.#folder, name);
      const found = await lstat(path).catch(() => undefined);
      if (found?.isSocket() === true && found.mtimeMs < mtimeMs - NEW_MS && (await isRefused(path)))
        unlinkQuietly(path);
    }
  }

  #receive(socket: Socket): void {
    if (this.#closed) return void socket.destroy(); // `close` waits for all that is open
    this.#incoming.add(socket);
    socket.unref();
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#incoming.delete(socket));
    let rest = '';
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      if (rest.length > LONGEST_LINE) socket.destroy();
      for (const line of lines) this.#deliver(line);
    });
  }

  #deliver(line: string): void {
    const message = parseMessage(line);
    if (message !== undefined) this.#listeners.get(message.member)?.(message.hint);
  }

  #peer(peer: string): Socket {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const address = this.#address(peer);
    const socket = createConnection(address);
    socket.unref();
    this.#peers.set(peer, socket);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Nobody listens any more: its process was killed, and could not tidy up.
      if (isDead(error) && process.platform !== 'win32') unlinkQuietly(address);
      socket.destroy();
    });
    socket.on('close', () => this.#peers.delete(peer));
    return socket;
  }
}

function socketFolder(dir: string): string {
  const digest = createHash('sha256').update(dir).digest('hex').slice(0, 16);
  if (process.platform === 'win32') return `\\\\.\\pipe\\holdfast-${digest}`;
  const folder =
    Buffer.byteLength(dir) + 6 <= LONGEST_FOLDER ? join(dir, 'inbox') : join(tmpdir(), `holdfast-${digest}`);
  return folder;
}

/**
 * Nobody else may write hints, or read them: what is there already under that name, which others can foretell in the
 * temporary folder, is used only if it is a folder of this user, and no link.
 */
function makeFolder(folder: string): void {
  if (process.platform === 'win32') return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  const fault = !found.isDirectory()
    ? 'is a link, and no folder'
    : found.uid === process.getuid?.()
      ? undefined
      : 'belongs to another user';
  if (fault !== undefined)
    throw new Error(
      `'${folder}' ${fault}: remove it, or give the store a shorter path, in whose folder the sockets fit`,
    );
  chmodSync(folder, 0o700);
}

const isDead = (error: NodeJS.ErrnoException): boolean => error.code === 'ECONNREFUSED';

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path, () => socket.destroy());
    socket.on('error', (error) => resolve(isDead(error)));
    socket.on('close', () => resolve(false));
  });
}

function removeIfEmpty(folder: string): void {
  try {
    if (process.platform !== 'win32') rmdirSync(folder);
  } catch {
    // others still listen there
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // another process was faster
  }
}

/** Undefined for a line that is no hint: whoever wrote it is no peer of ours. */
function parseMessage(line: string): { member: string; hint: Hint } | undefined {
  try {
    const { member, hint } = JSON.parse(line) as {
      member?: unknown;
      hint?: { kind?: unknown; id?: unknown; token?: unknown } | null;
    };
    if (typeof member !== 'string' || typeof hint?.id !== 'string' || typeof hint.token !== 'number') return undefined;
    if (hint.kind !== 'recall' && hint.kind !== 'grant') return undefined;
    return { member, hint: { kind: hint.kind, id: hint.id, token: hint.token } };
  } catch {
    return undefined;
  }
}
