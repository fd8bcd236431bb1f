import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { inspect } from '../../ts/cli/inspect.ts';
import { defineSession, mutable, unclassified } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { openStore } from '../../ts/store/open.ts';
import type { Store } from '../../ts/store/store.ts';
import { newFolder } from '../folders.ts';
import { NO_REDIS, RedisServer } from '../store/redis-server.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

function holdfast(...args: string[]): { readonly code: number | null; readonly out: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: status, out: `${stdout}${stderr}`.trim() };
}

const definition = defineSession({
  cart: mutable<{ sku: string; quantity: number }[]>(() => []),
  note: unclassified<string>(() => ''),
});

/** Three sessions, of which 's' has been saved three times and is kept locked, and waited for. */
async function fill(store: Store): Promise<{ end(): Promise<void> }> {
  const sessions = new SessionRepository({ store, definition, ttlMs: 3_600_000, lock: { leaseMs: 60_000 } });
  const other = new SessionRepository({ store, definition, lock: { leaseMs: 60_000 } });
  for (const id of ['large', 'small', 's'])
    await sessions.scope(id, (state) => void (state.note = id === 'large' ? 'x'.repeat(300) : 'secret'), {
      create: {},
    });
  const session = await sessions.open('s');
  session.state.cart.push({ sku: 'jam', quantity: 1 });
  await session.save();
  session.state.cart[0]!.quantity = 2;
  session.state.note = 'another secret';
  await session.save();
  const recalled = new Promise<void>((resolve) => sessions.observe(({ type }) => type === 'recall' && resolve()));
  const waiting = other.scope('s', () => undefined).catch(() => undefined);
  await recalled;
  return {
    async end() {
      await session.close();
      await waiting;
      await Promise.all([sessions.close(), other.close()]);
      await store.close();
    },
  };
}

const ONE =
  /^'s': live, revision 3, token \d+ \(epoch 0\); begun \d{4}-.+Z, expires in \d+ min\nlock: held by \S+, lease .+; 1 member waiting: \S+\nattributes: (note|cart) \d+ B, (note|cart) \d+ B\n/;

function showsAll(address: string): void {
  const all = JSON.parse(holdfast('inspect', address, '--json').out) as { sessions: { id: string; leftMs: number }[] };
  expect(all).toMatchObject({ ok: true, sessions: [{ id: 'large' }, { revision: 3 }, { revision: 1 }] });
  expect(all.sessions[0]!.leftMs).toBeGreaterThan(3_000_000);
}

const CLEARED = '\r\u001B[2K';

describe('holdfast inspect', { timeout: 100_000 }, () => {
  it('shows what an operator needs of a folder, without values', async () => {
    const dir = newFolder();
    const used = await fill(await openStore(dir));
    showsAll(dir);
    expect(holdfast('inspect', dir).out).toMatch(/: 3 sessions, .+\n\nlargest\n.+ large\n/);
    const one = holdfast('inspect', dir, 's');
    expect(one).toMatchObject({ code: 0, out: expect.stringMatching(ONE) as string });
    expect(one.out).not.toMatch(/secret|jam/);
    const { records } = JSON.parse(holdfast('inspect', dir, 's', '--json').out) as { records: unknown[] };
    expect(records).toMatchObject([
      { revision: 1, kind: 'snapshot', changes: [{ op: 'set', path: 'note' }] },
      { revision: 2, kind: 'delta', changes: [{ op: 'set', path: 'cart' }] },
      { revision: 3, kind: 'delta' },
    ]);
    expect(JSON.stringify(records[2])).toMatch(/cart\W+0\W+quantity/);
    expect(holdfast('inspect', dir, 'none')).toEqual({ code: 1, out: "there is no 'none'" });
    await used.end();
  });

  it.skipIf(NO_REDIS !== undefined)(`and of a Redis server (${NO_REDIS ?? 'of its own'})`, async () => {
    const server = await RedisServer.start();
    const used = await fill(await openStore(server.url));
    showsAll(server.url);
    expect(holdfast('inspect', server.url, 's').out).toMatch(ONE);
    await used.end();
  });

  it('shows on a terminal how far it is, of one session too, and clears that away', async () => {
    const dir = newFolder();
    const used = await fill(await openStore(dir));
    const drawn = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const printed = vi.spyOn(console, 'log').mockReturnValue();
    const { isTTY } = process.stderr;
    try {
      process.stderr.isTTY = true;
      for (const [id, first] of [
        [undefined, / 3 sessions {2}/] as const,
        ['s', /'s' {2}.+ 1 of 3 records {2}/] as const,
      ]) {
        drawn.mockClear();
        await inspect({ address: dir, id, json: false });
        const texts = drawn.mock.calls.map(([text]) => text);
        expect([texts[0], texts.at(-1)]).toEqual([expect.stringMatching(first), CLEARED]);
      }
      process.stderr.isTTY = false;
      drawn.mockClear();
      await inspect({ address: dir, id: 's', json: false });
      expect(drawn).not.toHaveBeenCalled();
      expect(printed).toHaveBeenCalledTimes(3);
    } finally {
      process.stderr.isTTY = isTTY;
      vi.restoreAllMocks();
      await used.end();
    }
  });

  it('makes no store where there is none', () => {
    expect(holdfast('inspect', join(newFolder(), 'none'))).toMatchObject({ code: 2 });
    expect(holdfast('inspect').out).toMatch(/inspect needs a store/);
    expect(holdfast('inspect', 'memory:').out).toMatch(/memory of one process/);
  });
});
