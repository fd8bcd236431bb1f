import { spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { EventEmitter } from 'node:events';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createConnection, createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SocketInbox } from '../../ts/store/inbox.ts';
import { newFolder } from '../folders.ts';

const LISTEN_AND_DIE = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;

/** A socket as a process leaves it behind that is killed. */
function leave(path: string): void {
  expect(spawnSync(process.execPath, ['-e', LISTEN_AND_DIE, path], { timeout: 15_000 }).signal).toBe('SIGKILL');
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(path);
  await once(server, 'listening');
  return server;
}

describe.skipIf(process.platform === 'win32')('SocketInbox', () => {
  it('leaves nothing behind when it is closed while somebody joins', async () => {
    const dir = newFolder();
    const inbox = new SocketInbox(dir);
    const joining = inbox.join(() => undefined).catch((error: unknown) => error);
    await inbox.close();
    expect(await joining).toMatchObject({ code: 'ERR_CLOSED' });
    await expect(inbox.join(() => undefined)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(readdirSync(dir)).toEqual([]);
  });

  it('outlives a connection that cannot be accepted, as where too many files are open', async () => {
    const dir = newFolder();
    const inbox = new SocketInbox(dir);
    const hints: unknown[] = [];
    const { member } = await inbox.join((hint) => hints.push(hint));
    const [name] = readdirSync(join(dir, 'inbox')) as [string];
    const servers: EventEmitter[] = [];
    const note = (message: unknown): void =>
      void servers.push((message as { socket: { server: EventEmitter } }).socket.server);
    subscribe('net.server.socket', note);
    const peer = createConnection(join(dir, 'inbox', name));
    await expect.poll(() => servers.length).toBe(1);
    unsubscribe('net.server.socket', note);
    servers[0]?.emit('error', new Error('accept EMFILE')); // as Node does: thrown where nobody listens
    peer.write(`${JSON.stringify({ member, hint: { kind: 'recall', id: 's', token: 1 } })}\n`);
    await expect.poll(() => hints).toEqual([{ kind: 'recall', id: 's', token: 1 }]);
    peer.destroy();
    await inbox.close();
  });

  it('removes the sockets of those who were killed, and nothing else', async () => {
    const dir = newFolder();
    const folder = join(dir, 'inbox');
    mkdirSync(folder, { mode: 0o700 });
    const [dead, fresh, alive, file, other] = [
      'aaaaaaaa.sock',
      'bbbbbbbb.sock',
      'cccccccc.sock',
      'dddddddd.sock',
      'other.sock',
    ] as const;
    for (const name of [dead, fresh, other]) leave(join(folder, name));
    writeFileSync(join(folder, file), '');
    const server = await listen(join(folder, alive));
    for (const name of [dead, alive, file, other]) utimesSync(join(folder, name), 1, 1);
    utimesSync(join(folder, fresh), Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    const inbox = new SocketInbox(dir);
    await inbox.join(() => undefined);
    for (const end = Date.now() + 10_000; readdirSync(folder).includes(dead) && Date.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 2));
    await inbox.close();
    expect(readdirSync(folder).toSorted()).toEqual([fresh, alive, file, other]);
    server.close();
  });

  it('looks at a bounded number of them, and at the others the next time', async () => {
    const dir = newFolder();
    const folder = join(dir, 'inbox');
    mkdirSync(folder, { mode: 0o700 });
    const listenAll = `const { createServer } = require('node:net'); let left = 70;
      for (let i = 0; i < 70; i += 1) createServer().listen(process.argv[1] + '/' + String(i).padStart(8, '0') + '.sock', () => (left -= 1) || process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', listenAll, folder], { timeout: 15_000 });
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), 1, 1);
    for (const left of [6, 0]) {
      const inbox = new SocketInbox(dir);
      await inbox.join(() => undefined);
      for (const end = Date.now() + 10_000; readdirSync(folder).length > left + 1 && Date.now() < end;)
        await new Promise((resolve) => setTimeout(resolve, 2));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(readdirSync(folder).length).toBe(left + 1);
      await inbox.close();
    }
    expect(readdirSync(dir)).toEqual([]);
  });
});

/** Of a store whose own path is too long for a socket's: its sockets' folder, which anybody can foretell. */
describe.skipIf(process.platform === 'win32')('a folder for sockets in the temporary folder', () => {
  const begun: string[] = [];
  afterEach(() => begun.splice(0).forEach((path) => rmSync(path, { recursive: true, force: true })));

  function newStore(): { dir: string; sockets: string } {
    const dir = join(newFolder(), 'x'.repeat(90));
    mkdirSync(dir);
    const digest = createHash('sha256').update(realpathSync(dir)).digest('hex').slice(0, 16);
    const sockets = join(tmpdir(), `holdfast-${digest}`);
    begun.push(sockets);
    return { dir, sockets };
  }

  it('is made for its owner alone, and goes with the last who listens', async () => {
    const { dir, sockets } = newStore();
    const inbox = new SocketInbox(dir);
    await inbox.join(() => undefined);
    expect([lstatSync(sockets).mode & 0o777, readdirSync(sockets).length]).toEqual([0o700, 1]);
    await inbox.close();
    expect([existsSync(sockets), readdirSync(dir)]).toEqual([false, []]);
  });

  it('that is there, open to all, is closed to others', async () => {
    const { dir, sockets } = newStore();
    mkdirSync(sockets);
    chmodSync(sockets, 0o777);
    const inbox = new SocketInbox(dir);
    await inbox.join(() => undefined);
    expect(lstatSync(sockets).mode & 0o777).toBe(0o700);
    await inbox.close();
  });

  it('that is a link, or a file, is not used', async () => {
    for (const plant of [
      (at: string, elsewhere: string) => symlinkSync(elsewhere, at),
      (at: string, elsewhere: string) => symlinkSync(join(elsewhere, 'nowhere'), at),
      (at: string) => writeFileSync(at, ''),
    ]) {
      const { dir, sockets } = newStore();
      const elsewhere = newFolder();
      chmodSync(elsewhere, 0o755);
      plant(sockets, elsewhere);
      const inbox = new SocketInbox(dir);
      await expect(inbox.join(() => undefined)).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        message: expect.stringMatching(/^cannot listen on .*holdfast-/) as string,
      });
      await inbox.close();
      expect([readdirSync(elsewhere), lstatSync(elsewhere).mode & 0o777]).toEqual([[], 0o755]);
    }
  });

  it.skipIf(process.getuid?.() !== 0)(
    `that another user has made is not used${process.getuid?.() === 0 ? '' : ' (skipped: only root can make one)'}`,
    async () => {
      const { dir, sockets } = newStore();
      mkdirSync(sockets);
      chownSync(sockets, 65534, 65534);
      const inbox = new SocketInbox(dir);
      await expect(inbox.join(() => undefined)).rejects.toThrow(
        /belongs to another user: remove it, or give the store a shorter path/,
      );
      await inbox.close();
      expect(readdirSync(sockets)).toEqual([]);
    },
  );
});
