import { describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { RedisClient } from '../../ts/store/redis.ts';
import { sleep } from './redis-records.ts';
import { NO_REDIS, RedisServer, command, newClient } from './redis-server.ts';

const definition = defineSession({ note: mutable(() => ''), rest: mutable(() => '') });
const SAVES = 50;
/** Of the link between server and replica, which says a little each second. */
const NOISE_BYTES = 400;

/** Text that neither repeats nor deflates much. */
function textOf(length: number, seed: number): string {
  let state = seed;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return String.fromCharCode(97 + ((state >>> 24) % 26));
  }).join('');
}

/** What the server has received and sent, its replication included, and the writes that its replica was told of. */
async function counted(asking: RedisClient): Promise<{ bytes: number; calls: number }> {
  const told = String(await command(asking, 'INFO', 'all'));
  const number = (name: RegExp): number => Number(name.exec(told)?.[1] ?? 0);
  return {
    bytes: number(/total_net_input_bytes:(\d+)/) + number(/total_net_output_bytes:(\d+)/),
    calls: number(/cmdstat_evalsha:calls=(\d+)/),
  };
}

describe.skipIf(NO_REDIS !== undefined)(`bytes of a save on a Redis server (${NO_REDIS ?? 'of its own'})`, () => {
  it.each([2, 64, 1024])(
    'of 48 changed bytes, in a session of %i KB, with a replica: 400 at most, in one call, by an id of 43 characters',
    async (kb) => {
      const server = await RedisServer.start('--repl-diskless-sync-delay', '0');
      const asking = await newClient('redis', server);
      await RedisServer.start('--replicaof', '127.0.0.1', String(server.port));
      for (
        const end = Date.now() + 30_000;
        !String(await command(asking, 'INFO', 'replication')).includes('state=online');
      ) {
        expect(Date.now()).toBeLessThan(end);
        await sleep(50);
      }
      const client = await newClient('redis', server);
      const store = new RedisStore({ client, prefix: 'hf', sweepEveryMs: Infinity });
      const sessions = new SessionRepository({ store, definition, ttlMs: 3_600_000, lock: { leaseMs: 60_000 } });
      const id = textOf(43, kb);
      const session = await sessions.create({ rest: textOf(kb * 1024, 1) }, { id });
      await session.saveAndClose();
      await sessions.scope(id, (state) => void (state.note = textOf(48, 2))); // owned from here on
      await sleep(1100); // what it asks for at the beginning has arrived
      const idle = await counted(asking);
      const asked = (await counted(asking)).bytes - idle.bytes;
      const before = await counted(asking);
      for (let save = 0; save < SAVES; save += 1)
        await sessions.scope(id, (state) => void (state.note = textOf(48, save + 3)));
      await sleep(1100);
      const after = await counted(asking);
      expect(after.calls - before.calls).toBe(SAVES);
      const bytes = (after.bytes - before.bytes - asked - NOISE_BYTES) / SAVES;
      if (process.env['HOLDFAST_TABLE'] !== undefined) console.info({ kb, bytes });
      expect(bytes).toBeLessThanOrEqual(400);
      expect(bytes).toBeGreaterThan(300); // the replica was there
      await sessions.close();
      await store.close();
    },
    90_000,
  );
});
