import type { Entropy } from '../entropy.ts';
import type { Mark } from '../history/mark.ts';
import { PLANTS } from '../history/planted.ts';
import type { PlantName } from '../history/planted.ts';
import { MemoryStore } from '../store/memory.ts';
import type { Expiry, Store } from '../store/store.ts';
import { clientsOf } from './clients.ts';
import { Member } from './cluster.ts';
import type { Cluster, Workload } from './cluster.ts';
import { watchEscapes } from './escapes.ts';
import { Judge } from './judge.ts';
import { knobsOf } from './knobs.ts';
import type { Knobs } from './knobs.ts';
import { Machine, Network } from './network.ts';
import { pick } from './random.ts';
import { sessionsOf } from './sessions.ts';
import { makeTrouble } from './trouble.ts';
import { World, drive } from './world.ts';
import type { Finding } from './world.ts';

const LATEST_CALL_MS = 30_000;

/** A run of more steps than this goes round in circles. */
const MOST_STEPS = 300_000;

export interface RunOptions {
  /** In place of what the seed draws. */
  readonly knobs?: Partial<Knobs>;
  /** Keeps the text of what happens. */
  readonly trace?: boolean;
  /** A fault in the primary, to see that it is found; it shows in one call of `every` (20). */
  readonly plant?: PlantName | undefined;
  readonly every?: number | undefined;
}

export interface Run {
  readonly seed: number;
  readonly knobs: Knobs;
  readonly findings: readonly Finding[];
  readonly history: readonly Mark[];
  readonly steps: number;
  readonly calls: number;
  /** Without `trace` both are empty. */
  readonly trace: readonly string[];
  readonly digest: string;
}

/**
 * Runs one seed. Real time and chance that the product touches meanwhile, and rejections that nobody handles, are
 * findings.
 */
export async function run(seed: number, options: RunOptions = {}): Promise<Run> {
  const world = new World(seed, options);
  const knobs = knobsOf(seed, options.knobs);
  world.note('knobs', () => JSON.stringify(knobs));
  const stopWatching = watchEscapes((escape) => world.find('escape', escape));
  const onRejection = (error: unknown): void =>
    world.find('unhandled rejection', String((error as Error | undefined)?.stack ?? error));
  process.on('unhandledRejection', onRejection);
  try {
    const cluster = build(world, knobs, options);
    await drive(world, MOST_STEPS);
    if (!world.ended && world.findings.length === 0)
      world.find('livelock', `${world.steps} steps, ${cluster.members.map(String).join('; ')}`);
    const { history, network } = cluster;
    const { findings, steps, trace = [] } = world;
    return {
      seed,
      knobs,
      findings,
      history,
      steps,
      calls: network.calls,
      trace,
      digest: trace.length === 0 ? '' : world.digest(),
    };
  } finally {
    process.off('unhandledRejection', onRejection);
    stopWatching();
  }
}

/**
 * Names of members differ from one run of a store to the next. Nothing is drawn for them: a seed's other draws stay
 * what they are.
 */
function namesOf(): () => Entropy {
  let runs = 0;
  return () => {
    const run = (runs += 1);
    return { fill: (bytes) => void bytes.fill(run) };
  };
}

function build(world: World, knobs: Knobs, { plant, every = 20 }: RunOptions): Cluster {
  // A sweep's grace must exceed how late a call can arrive: backups are cut off, or hang, for many seconds.
  const graceOf = ({ name }: Machine): number => (name.startsWith('backup') ? LATEST_CALL_MS : knobs.sweepMs);
  const nextNames = namesOf();
  const store = (machine: Machine): MemoryStore =>
    new MemoryStore({
      clock: world.clock(machine),
      sweepEveryMs: knobs.sweepMs,
      sweepGraceMs: graceOf(machine),
      entropy: nextNames(),
    });
  const planted = (machine: Machine): Store =>
    plant === undefined ? store(machine) : PLANTS[plant](store(machine), { clock: world.clock(machine), every });
  const primary = new Machine('primary', planted);
  const backups = Array.from({ length: knobs.backups }, (_, i) => new Machine(`backup${i}`, store));
  const cluster: Cluster = {
    world,
    knobs,
    expiry: drawExpiry(world, knobs),
    network: new Network(world, knobs),
    history: [],
    machines: [primary, ...backups],
    members: [],
    configuration: { primary, backups },
  };
  const [sessions, clients] = [sessionsOf(cluster), clientsOf(cluster)];
  const judge = new Judge(cluster, [sessions, clients]);
  const join = (count: number, letters: string, uses: Knobs, workload: Workload): void => {
    for (let i = 0; i < count; i += 1)
      cluster.members.push(new Member(world, letters[i] as string, i, uses, workload, () => judge.look()));
  };
  join(knobs.members, 'PQRS', knobs, sessions);
  join(knobs.clients, 'ABCD', { ...knobs, workers: 1 }, clients);
  for (const member of cluster.members) member.start();
  makeTrouble(cluster);
  return cluster;
}

function drawExpiry({ app }: World, { expiry, leaseMs }: Knobs): Expiry {
  if (expiry === 'none') return {};
  if (expiry === 'far') return { idleMs: 600_000, ageMs: 1_200_000 };
  // Repositories take no shorter ttl than half a lease.
  return {
    idleMs: Math.max(pick(app, [500, 3000, 60_000]), leaseMs / 2),
    ...(app() < 0.3 && { ageMs: pick(app, [1000, 5000]) }),
  };
}
