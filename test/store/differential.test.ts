import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SqliteStore } from '../../ts/store/sqlite.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { differ } from './differential.ts';

const KINDS = [
  'append yes',
  'append fenced',
  'append conflict granted',
  'append conflict (expired)',
  'append conflict (ended)',
  'append locked',
  'append ERR_INVALID',
  'lock yes',
  'lock',
  'lock yes (expired)',
  'touch yes',
  'touch gone',
  'touch fenced',
  'replace yes',
  'replace conflict',
  'replace fenced',
  'promote',
];

describe('random calls are answered as by the model of the contract', () => {
  const seeds = Number(process.env['HOLDFAST_SEEDS'] ?? 4);

  it(`by MemoryStore, ${seeds} seeds`, async () => {
    const total = new Map<string, number>();
    for (let seed = 1; seed <= seeds; seed += 1) {
      for (const [kind, times] of await differ(
        (clock) => new MemoryStore({ clock, sweepEveryMs: Infinity }),
        seed,
        6000,
      ))
        total.set(kind, (total.get(kind) ?? 0) + times);
    }
    // They reach every kind of answer, else their agreement would say little.
    for (const kind of KINDS)
      expect(total.get(kind) ?? 0, `${kind} of ${JSON.stringify([...total])}`).toBeGreaterThan(10);
  }, 600_000);

  it('by SqliteStore', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
    await differ((clock) => SqliteStore.open({ dir, clock, sweepEveryMs: Infinity }), 1, 1500);
    rmSync(dir, { recursive: true });
  });
});
