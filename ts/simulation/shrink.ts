import type { Knobs } from './knobs.ts';
import { run } from './run.ts';
import type { Run, RunOptions } from './run.ts';

/** What each knob is turned down to, troubles first. A knob that is not here stays. */
const LEAST: Partial<Knobs> = {
  crashes: 0,
  cuts: 0,
  restarts: 0,
  lossBefore: 0,
  late: 0,
  duplicates: 0,
  memberJumps: 0,
  storeJumps: 0,
  promotions: 0,
  restores: 0,
  backups: 0,
  backupTrouble: 'none',
  ends: 0,
  optimistic: 0,
  expiry: 'none',
  workers: 1,
  ids: 1,
  pauses: 0,
  hintLoss: 0,
  lossAfter: 0,
  lingers: 0,
  ops: 3,
  restMs: 40,
  latencyMs: 1,
  patienceMs: 0,
  sweepMs: 60_000,
};
/**
 * Seeds that are tried for each setting: another knob gives all later draws another meaning, so the failing seed itself
 * need not fail again.
 */
const SEEDS = 120;

type Fault = Pick<RunOptions, 'plant' | 'every'>;

export interface Shrunk {
  readonly run: Run;
  readonly knobs: Partial<Knobs>;
}

/**
 * Turns down one knob after the other while some seed still finds `kind`, then takes the seed with the shortest trace.
 */
export async function shrink(start: Knobs, kind: string, fault: Fault): Promise<Shrunk | undefined> {
  let knobs: Knobs = start;
  for (const turned of fewerMembers(start).concat(Object.entries(LEAST).map(([name, value]) => ({ [name]: value })))) {
    const candidate = { ...knobs, ...turned };
    if (await failing(candidate, kind, fault)) knobs = candidate;
  }
  let shortest: Run | undefined;
  for (let seed = 1; seed <= 10 * SEEDS; seed += 1) {
    const tried = await run(seed, { knobs, ...fault });
    if (fails(tried, kind) && (shortest === undefined || tried.steps < shortest.steps)) shortest = tried;
  }
  return shortest && { run: await run(shortest.seed, { knobs, ...fault, trace: true }), knobs };
}

function fewerMembers({ members, clients }: Knobs): Partial<Knobs>[] {
  return [{ members: 0 }, { clients: 0 }, { members: Math.min(members, 2) }, { clients: Math.min(clients, 2) }];
}

async function failing(knobs: Knobs, kind: string, fault: Fault): Promise<boolean> {
  for (let seed = 1; seed <= SEEDS; seed += 1) if (fails(await run(seed, { knobs, ...fault }), kind)) return true;
  return false;
}

const fails = ({ findings }: Run, kind: string): boolean => findings.some((finding) => finding.kind === kind);
