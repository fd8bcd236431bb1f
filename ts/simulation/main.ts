import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { PLANTS } from '../history/planted.ts';
import type { PlantName } from '../history/planted.ts';
import { CLIMATES, knobsOf } from './knobs.ts';
import type { Climate, Knobs } from './knobs.ts';
import { run } from './run.ts';
import type { Run, RunOptions } from './run.ts';
import { shrink } from './shrink.ts';

const USAGE = `node scripts/simulate.mjs [options]
  --seeds N      how many seeds (10000), from --first (1) on, in --workers (2) processes
  --climate C    ${Object.keys(CLIMATES).join(', ')}; default: each seed has its own
  --seed N       one seed, with its trace
  --knobs JSON   in place of what the climate sets and the seed draws
  --plant NAME   a fault in the primary, e.g. 'drops an append'; --every N: in one call of N (20)
  --shrink       with --seed: looks for the shortest run that fails in the same way
  --digests      a digest of each seed's trace, and one of all
`;
const TAIL = 60;
const SHOWN = 5;

interface Options {
  readonly first: number;
  readonly seeds: number;
  readonly workers: number;
  readonly climate: Climate | undefined;
  readonly knobs: Partial<Knobs>;
  readonly plant: PlantName | undefined;
  readonly every: number;
}

/** What a process tells of its seeds. */
interface Report {
  seeds: number;
  steps: number;
  calls: number;
  uses: number;
  acknowledged: number;
  failures: { readonly seed: number; readonly kind: string; readonly detail: string }[];
}

/** Returns the process's exit code: 0 when nothing was found. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      first: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '10000' },
      workers: { type: 'string', default: '2' },
      climate: { type: 'string' },
      seed: { type: 'string' },
      knobs: { type: 'string', default: '{}' },
      plant: { type: 'string' },
      every: { type: 'string', default: '20' },
      shrink: { type: 'boolean' },
      digests: { type: 'boolean' },
      part: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (
    values.help === true ||
    (values.climate !== undefined && !(values.climate in CLIMATES)) ||
    (values.plant !== undefined && !(values.plant in PLANTS))
  ) {
    process.stdout.write(USAGE);
    return values.help === true ? 0 : 2;
  }
  const options: Options = {
    first: Number(values.first),
    seeds: Number(values.seeds),
    workers: Number(values.workers),
    climate: values.climate as Climate | undefined,
    knobs: JSON.parse(values.knobs) as Partial<Knobs>,
    plant: values.plant as PlantName | undefined,
    every: Number(values.every),
  };
  if (values.part !== undefined) return runPart(options, Number(values.part));
  if (values.digests === true) return printDigests(options);
  if (values.seed === undefined) return runAll(options);
  return values.shrink === true ? printShrunk(Number(values.seed), options) : printRun(Number(values.seed), options);
}

/** By default each seed has a climate of its own, so that its number alone replays it. */
export function climateOf(seed: number): Climate {
  const names = Object.keys(CLIMATES) as Climate[];
  return names[seed % names.length] as Climate;
}

/** The climate's knobs, what is set beside, and the fault. */
function set(seed: number, { climate = climateOf(seed), knobs, plant, every }: Options): RunOptions {
  return { knobs: { ...CLIMATES[climate], ...knobs }, plant, every };
}

async function printRun(seed: number, options: Options): Promise<number> {
  const told = await run(seed, { ...set(seed, options), trace: true });
  process.stdout.write(`${told.trace.join('\n')}\n`);
  summarise(told, options);
  return told.findings.length === 0 ? 0 : 1;
}

async function printShrunk(seed: number, options: Options): Promise<number> {
  const [first] = (await run(seed, set(seed, options))).findings;
  if (first === undefined) {
    process.stdout.write(`seed ${seed} finds nothing\n`);
    return 0;
  }
  const shrunk = await shrink(knobsOf(seed, set(seed, options).knobs), first.kind, {
    plant: options.plant,
    every: options.every,
  });
  if (shrunk === undefined)
    process.stdout.write(`seed ${seed}: '${first.kind}' was not found with other seeds; replay the seed itself\n`);
  else {
    process.stdout.write(`${shrunk.run.trace.join('\n')}\n`);
    summarise(shrunk.run, { ...options, climate: 'everything', knobs: shrunk.knobs });
  }
  return 1;
}

function summarise({ seed, findings, steps, calls, trace }: Run, options: Options): void {
  const found = findings.length === 0 ? 'nothing was found' : `${findings.length} findings`;
  process.stdout.write(`seed ${seed}: ${steps} steps, ${calls} calls, ${trace.length} lines; ${found}\n`);
  for (const { kind, detail } of findings.slice(0, SHOWN)) process.stdout.write(`  ${kind}: ${detail}\n`);
  if (findings.length > 0) process.stdout.write(`  again: ${command(seed, options)}\n`);
}

function command(seed: number, { climate, knobs, plant, every }: Options): string {
  const given = Object.keys(knobs).length === 0 ? '' : ` --knobs '${JSON.stringify(knobs)}'`;
  const planted = plant === undefined ? '' : ` --plant '${plant}' --every ${every}`;
  return `node scripts/simulate.mjs --seed ${seed}${climate === undefined ? '' : ` --climate ${climate}`}${given}${planted}`;
}

async function printDigests({ first, seeds, ...rest }: Options): Promise<number> {
  const all = createHash('sha256');
  for (let seed = first; seed < first + seeds; seed += 1) {
    const { digest } = await run(seed, { ...set(seed, { first, seeds, ...rest }), trace: true });
    all.update(digest);
    process.stdout.write(`${seed} ${digest}\n`);
  }
  process.stdout.write(`all ${all.digest('hex').slice(0, 32)}\n`);
  return 0;
}

/** Every `workers`-th seed; the report goes to the parent by standard output. */
async function runPart(options: Options, part: number): Promise<number> {
  const report: Report = { seeds: 0, steps: 0, calls: 0, uses: 0, acknowledged: 0, failures: [] };
  for (let seed = options.first + part; seed < options.first + options.seeds; seed += options.workers) {
    const { findings, steps, calls, history } = await run(seed, set(seed, options));
    report.seeds += 1;
    report.steps += steps;
    report.calls += calls;
    for (const mark of history) {
      if (mark.mark === 'use') report.uses += 1;
      else if (mark.mark === 'kept' && mark.outcome === 'ok') report.acknowledged += mark.keys.length;
    }
    const firsts = new Map(findings.toReversed().map(({ kind, detail }) => [kind, detail]));
    for (const [kind, detail] of firsts) report.failures.push({ seed, kind, detail });
  }
  process.stdout.write(JSON.stringify(report));
  return 0;
}

async function runAll(options: Options): Promise<number> {
  const begun = performance.now();
  const reports = await Promise.all(Array.from({ length: options.workers }, (_, part) => spawnPart(options, part)));
  const seconds = (performance.now() - begun) / 1000;
  const sum = (of: (report: Report) => number): number => reports.reduce((total, report) => total + of(report), 0);
  const seeds = sum((report) => report.seeds);
  const failures = reports.flatMap((report) => report.failures).toSorted((a, b) => a.seed - b.seed);
  const pace = `${seeds} seeds in ${seconds.toFixed(1)} s (${(seeds / seconds).toFixed(0)} a second in ${options.workers} processes)`;
  const work = `${sum((report) => report.steps)} steps, ${sum((report) => report.calls)} calls, ${sum((report) => report.uses)} uses`;
  const failed = new Set(failures.map(({ seed }) => seed)).size;
  process.stdout.write(
    `${pace}: ${work}, ${sum((report) => report.acknowledged)} acknowledged; ${failed} seeds with findings\n`,
  );
  await printFailures(failures, options);
  return failures.length === 0 ? 0 : 1;
}

async function printFailures(failures: Report['failures'], options: Options): Promise<void> {
  for (const kind of new Set(failures.map((failure) => failure.kind))) {
    const same = failures.filter((failure) => failure.kind === kind);
    process.stdout.write(`  ${kind}: ${same.length} seeds\n`);
    for (const { seed, detail } of same.slice(0, SHOWN))
      process.stdout.write(`    ${detail.slice(0, 200)}\n      ${command(seed, options)}\n`);
  }
  const [first] = failures;
  if (first === undefined) return;
  const { trace } = await run(first.seed, { ...set(first.seed, options), trace: true });
  const found = trace.findIndex((line) => line.includes(' !! ')) + 1;
  process.stdout.write(
    `seed ${first.seed} up to its first finding:\n${trace.slice(Math.max(0, found - TAIL), found).join('\n')}\n`,
  );
}

function spawnPart({ first, seeds, workers, climate, knobs, plant, every }: Options, part: number): Promise<Report> {
  const args = [
    '--part',
    part,
    '--first',
    first,
    '--seeds',
    seeds,
    '--workers',
    workers,
    '--knobs',
    JSON.stringify(knobs),
    '--every',
    every,
  ];
  if (climate !== undefined) args.push('--climate', climate);
  if (plant !== undefined) args.push('--plant', plant);
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as Report);
      else reject(new Error(`process ${part} of the simulation ended with ${code}`));
    });
  });
}
