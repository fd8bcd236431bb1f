// The store contract without the addon, by the runner of Node itself. env: HOLDFAST_SQLITE names the module.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SqliteStore } from 'holdfast/sqlite';
import { VirtualClock, storeSuite } from 'holdfast/testing';

const NO_WATCH = 'can.watch is false: between processes only recalls and grants travel';

storeSuite(
  { describe, it },
  {
    name: 'SqliteStore without the addon',
    async open() {
      const dir = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
      const clock = new VirtualClock();
      const one = await SqliteStore.open({ dir, clock, sweepEveryMs: Infinity });
      const two = await SqliteStore.open({ dir, clock, sweepEveryMs: Infinity });
      const cleanUp = async () => {
        await one.close();
        await two.close();
        rmSync(dir, { recursive: true });
      };
      return { one, two, pass: (ms) => clock.pass(ms), jump: (ms) => clock.jump(ms), cleanUp };
    },
    skips: {
      'those who watch hear of appends and replacements': NO_WATCH,
      'a watch takes the place of the one before': NO_WATCH,
      'nothing is heard of what changed nothing': NO_WATCH,
    },
  },
);
