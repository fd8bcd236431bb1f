import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
