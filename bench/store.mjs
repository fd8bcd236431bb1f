// The embedded store beside others that a Node process can embed: durable appends from one and two processes, reads, a
// lock's way from one process to the other, the event loop while the disk is slow, processor time and room. Contenders
// take turns in every round, and a ratio is the median of the rounds' own: machine and disk are never the same twice.
// Their settings: bench/contenders/. usage: node bench/store.mjs [--quick] [--rounds N] [--seconds N] [--only NAME,…]
// [--load TEXT] [--dir DIR] [--json] [--record]
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, platform, release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installContenders } from './install.mjs';
import { flushTimes, measure } from './store/measure.mjs';
import { report } from './store/report.mjs';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string' },
    load: { type: 'string', default: '' },
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
});
const rounds = positive('rounds', flags.rounds ?? (flags.quick ? '1' : '3'));
const milliseconds = positive('seconds', flags.seconds ?? (flags.quick ? '0.3' : '2')) * 1000;
const records = flags.quick ? 2_000 : 20_000;
const TMPFS = 0x01021994;
const MOST_DEATHS = 3;

const loads = chosen({
  ...Object.fromEntries(
    [1, 2].flatMap((processes) =>
      [1, 8, 64].map((inFlight) => [
        `append ${processes} × ${inFlight}`,
        { load: 'append', processes, inFlight, milliseconds },
      ]),
    ),
  ),
  'beside a busy process 1': { load: 'append', processes: 2, inFlight: 1, busyInFlight: 64, milliseconds },
  ...Object.fromEntries(
    [1, 64].map((inFlight) => [`read 1 × ${inFlight}`, { load: 'read', processes: 1, inFlight, milliseconds }]),
  ),
  'hand-over': { load: 'handOver', processes: 2, milliseconds },
  'slow disk 1 × 8': { load: 'append', processes: 1, inFlight: 8, milliseconds, slow: true },
  room: { load: 'fill', processes: 1, inFlight: 64, records, milliseconds },
});

installContenders();
const { stores } = await import('./contenders/stores.mjs');
const { versions, missing } = await present();
const result = { machine: machine(), rounds, milliseconds, records, versions, missing, ...(await runAll()) };
const text = report(result);
console.log(flags.json ? JSON.stringify(result, undefined, 2) : text);
if (flags.record) record();

function positive(name, text) {
  const value = Number(text);
  if (value > 0 && (name !== 'rounds' || Number.isInteger(value))) return value;
  console.error(`bench: --${name} needs a positive number, not '${text}'`);
  process.exit(1);
}

/** Those whose name has the text in it. */
function chosen(all) {
  const some = Object.entries(all).filter(([name]) => name.includes(flags.load));
  if (some.length > 0) return Object.fromEntries(some);
  console.error(`bench: no load has '${flags.load}' in its name; there are ${Object.keys(all).join(', ')}`);
  process.exit(1);
}

/** Who can run here, with what version, and why the others cannot. */
async function present() {
  const versions = {};
  const missing = {};
  const wanted = flags.only?.split(',') ?? Object.keys(stores);
  for (const name of wanted) {
    if (stores[name] === undefined) {
      console.error(`bench: no contender is called '${name}'; there are ${Object.keys(stores).join(', ')}`);
      process.exit(1);
    }
    try {
      versions[name] = await stores[name].version();
    } catch (error) {
      missing[name] = error.message;
      console.error(`bench: ${name} is left out: ${error.message}`);
    }
  }
  return { versions, missing };
}

function machine() {
  return {
    date: new Date().toISOString().slice(0, 16),
    processor: `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}`,
    system: `${platform()} ${arch()} ${release()}`,
    node: process.version,
    load: loadavg()[0],
    isFlushed: statfsSync(flags.dir).type !== TMPFS,
  };
}

/** By load and contender one summary a round, and what the bare disk took in each. */
async function runAll() {
  const names = Object.keys(versions);
  const all = Object.fromEntries(
    Object.keys(loads).map((load) => [load, Object.fromEntries(names.map((name) => [name, []]))]),
  );
  const parent = mkdtempSync(join(flags.dir, 'holdfast-bench-'));
  const total = rounds * Object.keys(loads).length * names.length;
  const flushes = [];
  let done = 0;
  try {
    for (let round = 0; round < rounds; round += 1) {
      flushes.push(flushTimes(parent));
      for (const [name, load] of Object.entries(loads)) {
        // Each is first in turn.
        const turn = round % names.length;
        for (const contender of [...names.slice(turn), ...names.slice(0, turn)]) {
          progress(`${(done += 1)} of ${total}: ${name}, ${contender}`);
          all[name][contender].push(await measured(parent, contender, load, name));
        }
      }
    }
    return { flushes, loads: all };
  } finally {
    progress('');
    rmSync(parent, { recursive: true, force: true, maxRetries: 3 });
  }
}

/**
 * One whose process dies (npm lmdb's may, where two write) is measured again, in a new folder; which one, and how
 * often, is told.
 */
async function measured(parent, contender, load, name) {
  for (let deaths = 1; ; deaths += 1) {
    try {
      return await measure(parent, contender, load);
    } catch (error) {
      console.error(`bench: ${contender} failed in '${name}', for the ${deaths}. time: ${error.message}`);
      if (deaths === MOST_DEATHS) throw error;
    }
  }
}

function progress(line) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

/** Kept with machine and date, as printed and as figures. */
function record() {
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'record');
  const path = join(folder, `store-${result.machine.date.replaceAll(':', '')}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${path}.txt`, `${text}\n`);
  writeFileSync(`${path}.json`, `${JSON.stringify(result, undefined, 2)}\n`);
  console.error(`bench: kept in ${path}.txt and .json`);
}
