import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MODULE } from './drivers.ts';

/** By environment, where more is asked for than CI has time for. */
const amount = (name: string, usual: number): string => process.env[`HOLDFAST_${name}`] || String(usual);

interface Report {
  readonly [name: string]: unknown;
  readonly acknowledged: number;
  readonly verdicts?: Readonly<Record<string, number>>;
  readonly said?: Readonly<Record<string, number>>;
  readonly skipped?: string;
}

/** The addon has its own, in `crates/sqlite`; `HOLDFAST_SQLITE=addon` of the script itself runs these on it. */
function run(storm: string, count: string): Promise<Report> {
  const script = fileURLToPath(new URL('faults/main.mjs', import.meta.url));
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [script, `--${storm}`, count],
      { env: { ...process.env, HOLDFAST_SQLITE: process.env['HOLDFAST_SQLITE'] || MODULE } },
      (_error, stdout, stderr) => {
        if (stdout === '') return reject(new Error(stderr));
        console.info(stdout.trim());
        resolve(JSON.parse(stdout) as Report);
      },
    );
  });
}

const NOTHING = { lost: 0, doubled: 0, wrong: 0, unseen: 0, hung: 0, crashed: 0 };
const LONGEST_MS = 3_600_000;

describe(`without the addon, by ${MODULE}`, () => {
  it.each([
    ['kills', 'KILLS', 20, 20],
    ['race', 'RACE_SECONDS', 3, 100],
    ['stops', 'STOPS', 20, 40],
    ['exits', 'EXITS', 4, 20],
    ['terminations', 'TERMINATIONS', 15, 15],
  ] as const)(
    '%s lose, double and break nothing',
    async (storm, name, usual, least) => {
      const report = await run(storm, amount(name, usual));
      expect(report).toMatchObject(NOTHING);
      expect(report.acknowledged).toBeGreaterThanOrEqual(least);
    },
    LONGEST_MS,
  );

  it(
    'no cut goes unseen',
    async () => {
      const report = await run('cuts', amount('CUTS', 20));
      expect(report).toMatchObject(NOTHING);
      expect(Object.keys(report.verdicts ?? {}).filter((each) => each !== 'right')).toEqual(['said']);
    },
    LONGEST_MS,
  );

  it(
    'no flipped bit goes unseen, but for one that hides a session: looking through all of it finds that',
    async () => {
      const report = await run('flips', amount('FLIPS', 30));
      expect(report).toMatchObject(NOTHING);
      const { right = 0, said = 0, 'found by a look through all of it': found = 0, ...rest } = report.verdicts ?? {};
      expect([rest, said > right]).toEqual([{}, true]);
      expect(found).toBeLessThanOrEqual((right + said) / 20);
    },
    LONGEST_MS,
  );

  it(
    'nothing is acknowledged that went to files that are gone, and what is missing is said',
    async () => {
      const report = await run('harms', amount('HARMS', 1));
      expect(report).toMatchObject(NOTHING);
      for (const each of Object.keys(report.said ?? {}))
        expect(each).toMatch(/: ERR_UNAVAILABLE none, then (?:gone|there|ERR_CORRUPT)$/);
    },
    LONGEST_MS,
  );

  it(
    'a full disk takes nothing away and is gone on from',
    async ({ skip }) => {
      const report = await run('full-disks', amount('FULL_DISKS', 2));
      if (report.skipped !== undefined) skip(report.skipped);
      expect(report).toMatchObject(NOTHING);
      expect(report.acknowledged).toBeGreaterThan(100);
    },
    LONGEST_MS,
  );
});
