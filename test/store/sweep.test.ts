import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { VirtualClock } from '../../ts/testing/virtual-clock.ts';
import { SqliteStore } from '../../ts/store/sqlite.ts';
import { newFolder } from '../folders.ts';

const SESSIONS = 400;

it('a sweep commits what it deletes together, not one by one', async () => {
  const dir = newFolder();
  const clock = new VirtualClock();
  const store = await SqliteStore.open({ dir, clock, sweepEveryMs: Infinity });
  const definition = defineSession({ n: mutable(() => 0) });
  const sessions = new SessionRepository({ store, definition, ttlMs: 1000 });
  await Promise.all(
    Array.from({ length: SESSIONS }, (_, n) => sessions.scope(`s${n}`, (state) => void (state.n = n), { create: {} })),
  );
  await sessions.close();
  clock.pass(2000);
  const commits = (): number => Number(readFileSync(join(dir, 'mark')).readBigUInt64LE(0));
  expect(await store.sweep({ limit: SESSIONS, graceMs: 10 })).toEqual({ swept: 0 });
  clock.pass(1000);
  const before = commits();
  expect(await store.sweep({ limit: SESSIONS, graceMs: 10 })).toEqual({ swept: SESSIONS });
  expect(commits() - before).toBeLessThan(SESSIONS / 10);
  await store.close();
});
