import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { CLIMATES } from '../../ts/simulation/knobs.ts';
import type { Climate, Knobs } from '../../ts/simulation/knobs.ts';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
/** Where what dist needs is found. */
const copies = mkdtempSync(fileURLToPath(new URL('../../node_modules/.backward-', import.meta.url)));
writeFileSync(join(copies, 'package.json'), '{ "type": "module" }');
afterAll(() => rmSync(copies, { recursive: true, force: true }));

/** A pause longer than the lease between asking and reading the answer, and little else. */
const SLEEPY: Partial<Knobs> = {
  members: 2,
  clients: 0,
  workers: 1,
  ids: 1,
  ops: 16,
  restMs: 40,
  latencyMs: 15,
  patienceMs: 0,
  lossBefore: 0,
  lossAfter: 0,
  hintLoss: 0,
  duplicates: 0,
  crashes: 0,
  pauses: 12,
  cuts: 0,
  restarts: 0,
  backups: 0,
  leaseMs: 120,
  lingers: 0,
  ends: 0,
  sweepMs: 60_000,
};

interface Backward {
  readonly fault: string;
  /** Takes the mend back: file in dist, what stands there, what stood there before. */
  readonly edits: readonly (readonly [string, string, string])[];
  readonly kind: string;
  readonly climate: Climate;
  readonly knobs?: Partial<Knobs>;
  /** At least twice what was measured. */
  readonly seeds: number;
}

/** Faults that the simulation has found. With the mend taken back it must find each of them again. */
const FAULTS: readonly Backward[] = [
  {
    fault: 'a grant is used although its lease is over, and a lapsed lease is handed back',
    edits: [
      ['lock/member-lock.js', 'if (this.#now() < held.leaseUntil) {', 'if (true) {'],
      ['store/lock-row.js', ' && leftMs > 0;', ';'],
      ['store/lock-row.js', 'else if (leftMs <= holder.leaseMs / 2)', 'else if (false)'],
    ],
    kind: 'stale read',
    climate: 'calm',
    knobs: SLEEPY,
    seeds: 1500,
  },
  {
    fault: 'a grant to whoever has the lock does not raise the token',
    edits: [
      [
        'store/lock-row.js',
        'const same = request.ticket === holder.ticket && leftMs > 0;',
        'const same = leftMs > 0; holder.ticket = request.ticket;',
      ],
    ],
    kind: 'token granted twice',
    climate: 'late',
    seeds: 40,
  },
  {
    fault: 'a late leaving takes away a lock that is in use',
    edits: [
      ['store/lock-row.js', 'row.holder.ticket <= ticket)', 'true)'],
      ['store/lock-row.js', 'waiter.member !== member || waiter.ticket > ticket', 'waiter.member !== member'],
    ],
    kind: 'lock held by two',
    climate: 'late',
    seeds: 300,
  },
  {
    fault: 'tokens begin again where a row was deleted',
    edits: [['store/moment.js', 'Math.max(floorOf(epoch), births)', 'floorOf(epoch)']],
    kind: 'token granted twice',
    climate: 'expiry',
    seeds: 60,
  },
  {
    fault: 'leases run on the wall clock, without a bound',
    edits: [
      ['store/transactional.js', 'this.#time = ', 'this.told = options.clock; this.#time = '],
      ['store/transactional.js', 'return { monotonic, wall', 'return { monotonic: this.told.now(), wall'],
      ['lock/member-lock.js', 'Math.min(grant.leaseLeftMs, leaseMs)', 'grant.leaseLeftMs'],
      ['store/lock-row.js', 'row.holder.leaseUntil = Math.min(leaseUntil, now + leaseMs);', ''],
    ],
    kind: 'lock held by two',
    climate: 'jumps',
    seeds: 80,
  },
  {
    fault: 'a record that is dated before its parent is damage to a backup',
    edits: [['sync/log-reader.js', 'time: SOME_TIME, ', '']],
    kind: 'backup astray',
    climate: 'jumps',
    seeds: 80,
  },
  {
    fault: 'an outdated primary that is ahead cannot become a backup',
    edits: [['backup/copy.js', '!outdated && how', 'how']],
    kind: 'backup astray',
    climate: 'promotion',
    seeds: 400,
  },
  {
    fault: 'a wall clock that is set back brings an expired session back',
    edits: [['clock.js', 'wall: steady,', 'wall: Math.min(told, steady),']],
    kind: 'resurrected session',
    climate: 'store',
    knobs: { storeJumps: 3, expiry: 'near' },
    seeds: 800,
  },
];

/** Runs seeds in a copy of dist until one finds `kind`. A process of its own: modules are loaded once. */
function seedsUntil({ edits, kind, climate, knobs, seeds }: Backward, name: string): number | undefined {
  const copy = join(copies, name);
  cpSync(dist, copy, { recursive: true, filter: (path) => !/\/\.[a-z]+$/.test(path) });
  for (const [file, from, to] of edits) {
    const text = readFileSync(join(copy, file), 'utf8');
    expect(text.split(from).length, `${from} in ${file}`).toBe(2);
    writeFileSync(join(copy, file), text.replace(from, to));
  }
  const program = `
    const { run } = await import(${JSON.stringify(join(copy, 'simulation/run.js'))});
    for (let seed = 1; seed <= ${seeds}; seed += 1) {
      const { findings } = await run(seed, { knobs: ${JSON.stringify({ ...CLIMATES[climate], ...knobs })} });
      if (findings.some(({ kind }) => kind === ${JSON.stringify(kind)})) { console.log(seed); break; }
    }`;
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 100_000,
  });
  expect(ran.stderr).toBe('');
  return ran.stdout === '' ? undefined : Number(ran.stdout);
}

describe('with its mend taken back', () => {
  it.each(FAULTS.map((fault, i) => [fault.fault, fault, String(i)] as const))(
    '%s',
    (_, fault, name) => {
      expect(seedsUntil(fault, name)).toBeGreaterThan(0);
    },
    120_000,
  );
});
