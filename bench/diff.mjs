// Both differs on pairs of consecutive states: sizes against the best peer's deltas, and times against moving memory.
// node bench/diff.mjs [--all] [--worst] [--record] [../dist]   after `npm run build`. `--all`: a line per pair; `--worst`: a search
// for the slowest input; `--record`: kept in bench/record/. Ratios of one run hold; times are the process's own.
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { slowest } from './diff/adversaries.mjs';
import { loadPairs } from './diff/pairs.mjs';
import { SMALL, makeState, seeded } from './diff/states.mjs';

const args = process.argv.slice(2);
const dist = args.find((arg) => !arg.startsWith('--')) ?? '../dist';
const { loadDiffer } = await import(`${dist}/diff/engine.js`);

const BUDGET_MS = 15;
/** Inputs that each search for the slowest tries, and seeds of the searches. */
const TRIES = 300;
const SEARCHES = [1, 2, 3, 4];
/** A try takes as many calls as make so much: the first ones find empty caches. */
const TRIED_BYTES = 1 << 19;
/** A batch of calls takes so long at least. */
const BATCH_NS = 200_000;
const KB = 1 << 10;
const MB = 1 << 20;

/** Of this process, in ns: what else the machine does counts little. */
function cpuTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

function timeBatch(run, calls) {
  const start = cpuTime();
  for (let i = 0; i < calls; i++) run();
  return cpuTime() - start;
}

/** Best CPU time of one call, in ns. */
function time(run) {
  const end = performance.now() + BUDGET_MS;
  let calls = 1;
  while (timeBatch(run, calls) < BATCH_NS) calls *= 2;
  let best = Infinity;
  for (let round = 0; round < 5 || performance.now() < end; round++)
    best = Math.min(best, timeBatch(run, calls) / calls);
  return best;
}

const geoMean = (values) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const lines = [];
function print(line = '') {
  lines.push(line);
  console.log(line);
}
const fixed = (value, digits = 2) => (Number.isNaN(value) ? '–' : value.toFixed(digits)).padStart(10);
const heads = (first, names) => print(`\n${first.padEnd(26)}${names.map((name) => name.padStart(10)).join('')}`);

function measure(differ, { base, target, oracle }) {
  const out = Buffer.allocUnsafeSlow(target.length + 16);
  const length = differ.diffInto(base, target, out);
  const delta = Buffer.from(out.subarray(0, length));
  if (Buffer.compare(differ.apply(base, delta, target.length), target) !== 0) throw new Error('the round trip failed');
  const diff = time(() => differ.diffInto(base, target, out));
  const apply = time(() => differ.apply(base, delta, target.length));
  const copy = time(() => Buffer.from(target));
  return {
    length,
    size: length / oracle,
    speed: target.length / diff,
    slowness: diff / target.length,
    apply: apply / copy,
  };
}

/** Sizes, and speeds of whole calls. */
function printGroups(engines, pairs) {
  heads('group', ['engine', 'pairs', 'size', 'GB/s', 'ms/MiB', 'apply']);
  for (const group of new Set(pairs.map((pair) => pair.group))) {
    const members = pairs.filter((pair) => pair.group === group);
    for (const differ of engines) {
      const results = members.map((pair) => measure(differ, pair));
      const mean = (key) => geoMean(results.map((result) => result[key]));
      const worst = (Math.max(...results.map((result) => result.slowness)) * MB) / 1e6;
      print(
        `${group.padEnd(26)}${differ.engine.padStart(10)}${String(members.length).padStart(10)}${fixed(mean('size'), 3)}${fixed(mean('speed'), 3)}${fixed(worst)}${fixed(mean('apply'))}`,
      );
      if (!args.includes('--all')) continue;
      results.forEach(({ length, size, speed, slowness, apply }, i) =>
        print(
          `  ${members[i].name.padEnd(34)}${String(length).padStart(12)}${fixed(size, 3)}${fixed(speed, 3)}${fixed((slowness * MB) / 1e6)}${fixed(apply)}`,
        ),
      );
    }
  }
}

/** Random bytes with some short edits, against comparing the two. */
function printEdits(engines) {
  heads('edits ÷ memcmp', ['engine', '1', '3', '10', 'mean']);
  for (const size of [64 * KB, 256 * KB, MB, 10 * MB]) {
    const random = seeded(size);
    const base = Buffer.alloc(size);
    for (let i = 0; i < size; i++) base[i] = random(256);
    const same = Buffer.from(base);
    const out = Buffer.alloc(size + 16);
    for (const differ of engines) {
      const ratios = [1, 3, 10].map((edits) => {
        const target = Buffer.from(base);
        for (let i = 0; i < edits; i++) target.write(`edit ${i}`, random(size - 16), 'latin1');
        return time(() => differ.diffInto(base, target, out)) / time(() => base.compare(same));
      });
      print(
        `${`${size / KB} KB`.padEnd(26)}${differ.engine.padStart(10)}${[...ratios, geoMean(ratios)].map((ratio) => fixed(ratio)).join('')}`,
      );
    }
  }
}

/** A state of 1 KB, µs a call of `diffInto`. */
function printSmall(engines) {
  heads('1 KB, µs', ['engine', ...Object.keys(SMALL).map((name) => name.slice(0, 9)), 'median']);
  const state = makeState(KB, 1);
  const base = Buffer.from(JSON.stringify(state));
  for (const differ of engines) {
    const times = Object.values(SMALL).map((edit) => {
      const edited = structuredClone(state);
      edit(edited, seeded(5));
      const target = Buffer.from(JSON.stringify(edited));
      const out = Buffer.alloc(target.length + 16);
      return time(() => differ.diffInto(base, target, out)) / 1000;
    });
    print(
      `${''.padEnd(26)}${differ.engine.padStart(10)}${[...times, median(times)].map((value) => fixed(value, 3)).join('')}`,
    );
  }
}

/** `applyInto` against copying into the same memory, `apply` against a new copy. */
function printApply(engines) {
  heads('apply', ['engine', 'delta', 'Into÷copy', 'apply÷from']);
  for (const [name, edit] of [
    ['one field', SMALL['one field']],
    ['ten fields', SMALL['ten fields']],
  ])
    for (const size of [KB, 64 * KB, 256 * KB, MB]) {
      const state = makeState(size, 2);
      const base = Buffer.from(JSON.stringify(state));
      edit(state, seeded(3));
      const target = Buffer.from(JSON.stringify(state));
      const out = Buffer.alloc(target.length);
      for (const differ of engines) {
        const delta = differ.diff(base, target);
        const copy = time(() => target.copy(out));
        const into = differ.applyInto === undefined ? NaN : time(() => differ.applyInto(base, delta, out)) / copy;
        const fresh = time(() => differ.apply(base, delta, target.length)) / time(() => Buffer.from(target));
        print(
          `${`${name}, ${size / KB} KB`.padEnd(26)}${differ.engine.padStart(10)}${String(delta.length).padStart(10)}${fixed(into)}${fixed(fresh)}`,
        );
      }
    }
}

/** What takes longest of inputs that are made to: ms per MiB of the longer side, found with the first engine. */
function printWorst(engines) {
  heads('slowest found', ['engine', 'KB', 'delta', 'ms/MiB']);
  const cost = (differ, { base, target }, measured) => {
    const out = Buffer.allocUnsafeSlow(target.length + 16);
    return ((measured(() => differ.diffInto(base, target, out)) / Math.max(base.length, target.length)) * MB) / 1e6;
  };
  for (const seed of SEARCHES) {
    const [{ pair }] = slowest(TRIES, seed, (pair) => {
      const calls = Math.ceil(TRIED_BYTES / Math.max(pair.base.length, pair.target.length));
      return cost(engines[0], pair, (run) => Math.min(...[1, 2].map(() => timeBatch(run, calls) / calls)));
    });
    print(pair.name);
    for (const differ of engines) {
      const length = differ.diff(pair.base, pair.target).length;
      if (length > pair.target.length + 16) throw new Error('the delta is longer than its bound');
      print(
        `${''.padEnd(26)}${differ.engine.padStart(10)}${fixed(pair.target.length / KB, 0)}${fixed(length, 0)}${fixed(cost(differ, pair, time))}`,
      );
    }
  }
}

const engines = [];
for (const name of ['native', 'js']) {
  try {
    engines.push(loadDiffer(name));
  } catch (error) {
    print(`${name} is left out: ${error.message}`);
  }
}
const { pairs, isCorpus } = loadPairs();
const began = new Date();
print(
  `${began.toISOString().slice(0, 16)}Z, ${cpus()[0]?.model} × ${cpus().length}, ${process.platform} ${process.arch}, Node ${process.version}, load ${loadavg()[0].toFixed(1)} when it began`,
);
print(`${pairs.length} ${isCorpus ? 'pairs of the corpus' : 'pairs made from a seed (no corpus here)'}`);
print('size: ÷ the smallest delta of about 20 peers; GB/s: of the target, whole call; apply: ÷ Buffer.from(target);');
print('geometric means; ms/MiB: the slowest pair');
printGroups(engines, pairs);
printEdits(engines);
printSmall(engines);
printApply(engines);
if (args.includes('--worst')) printWorst(engines);
if (args.includes('--record')) {
  const name = `diff-${began.toISOString().slice(0, 16).replace(':', '')}.txt`;
  writeFileSync(new URL(`record/${name}`, import.meta.url), `${lines.join('\n')}\n`);
}
