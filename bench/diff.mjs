// Both differs on pairs of consecutive states: size against the best peer's delta, time against memcmp and memcpy.
// node bench/diff.mjs [--all] [../dist]   after `npm run build`. `--all`: a line per pair. Ratios of one run hold.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const args = process.argv.slice(2);
const dist = args.find((arg) => !arg.startsWith('--')) ?? '../dist';
const { loadDiffer } = await import(`${dist}/diff/engine.js`);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const BUDGET_NS = 12_000_000n;
/** Cases whose two states have little in common or in another order are a group of their own. */
const DISSIMILAR = ['unrelated', 'reorder'];

/** Best time of one call, in ns. */
function time(run) {
  const end = process.hrtime.bigint() + BUDGET_NS;
  let start = process.hrtime.bigint();
  run();
  const first = Number(process.hrtime.bigint() - start);
  const calls = Math.max(1, Math.min(500, Math.floor(100_000 / Math.max(first, 1))));
  let best = Infinity;
  for (let round = 0; round < 5 || process.hrtime.bigint() < end; round++) {
    start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / calls);
  }
  return best;
}

const geoMean = (values) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/**
 * Pairs of the corpus beside this repository, made into a temporary folder the first time; undefined where there is
 * none.
 */
function corpusPairs() {
  const source = join(root, '../shared/corpus');
  if (!existsSync(join(source, 'oracle.tsv'))) return undefined;
  const made = process.env.HOLDFAST_CORPUS ?? join(tmpdir(), 'holdfast-corpus');
  if (!existsSync(join(made, 'index.tsv'))) {
    const make = (env) =>
      spawnSync(process.execPath, [join(source, 'make-corpus.mjs'), made], { cwd: root, env, stdio: 'ignore' });
    if (make(process.env).status !== 0 && make({ ...process.env, SKIP_REAL: '1' }).status !== 0) return undefined;
  }
  const rows = readFileSync(join(source, 'oracle.tsv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'));
  const file = (name) => join(made, 'files', name);
  return rows
    .filter((row) => existsSync(file(row[3])) && existsSync(file(row[4])))
    .map(([group, name, encoding, old, now, , , oracle]) => ({
      group: DISSIMILAR.includes(name) ? `${group} dissimilar` : group,
      name: `${name} ${encoding}`,
      base: readFileSync(file(old)),
      target: readFileSync(file(now)),
      oracle: Number(oracle),
    }));
}

/** Lists of records in JSON, and some edits of each. */
function seededPairs() {
  let state = 1;
  const random = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % n;
  };
  const record = (id) => ({
    id,
    name: `item ${random(1e6)}`,
    price: random(1e5) / 100,
    at: 1790000000000 + random(1e9),
    tags: ['a', 'b'],
  });
  const edits = {
    field: (list) => {
      list[list.length >> 1].price += 1;
    },
    'ten fields': (list) => {
      for (let i = 0; i < 10; i++) list[random(list.length)].price = random(1e5) / 100;
    },
    insert: (list) => {
      list.splice(list.length >> 1, 0, record(1e6));
    },
    shift: (list) => {
      list.push(list.shift());
    },
  };
  return [1 << 10, 1 << 16, 1 << 20].flatMap((size) =>
    Object.entries(edits).map(([name, edit]) => {
      const list = Array.from({ length: Math.ceil(size / 90) }, (_, i) => record(i));
      const base = Buffer.from(JSON.stringify(list));
      edit(list);
      return { group: `seeded ${size}`, name, base, target: Buffer.from(JSON.stringify(list)), oracle: NaN };
    }),
  );
}

function measure(differ, { base, target, oracle }) {
  const out = Buffer.allocUnsafeSlow(target.length + 16);
  const length = differ.diffInto(base, target, out);
  const delta = Buffer.from(out.subarray(0, length));
  if (Buffer.compare(differ.apply(base, delta, target.length), target) !== 0) throw new Error('the round trip failed');
  const same = Buffer.from(base);
  const compare = time(() => base.compare(same));
  const copy = time(() => target.copy(out));
  return {
    length,
    size: length / oracle,
    diff: time(() => differ.diffInto(base, target, out)) / compare,
    apply: time(() => differ.apply(base, delta, target.length)) / copy,
  };
}

const engines = [];
for (const name of ['native', 'js']) {
  try {
    engines.push(loadDiffer(name));
  } catch (error) {
    console.log(`${name} is left out: ${error.message}`);
  }
}
const found = corpusPairs();
const pairs = found ?? seededPairs();
console.log(
  `${cpus()[0]?.model}, Node ${process.version}; ${pairs.length} ${found ? 'pairs of the corpus' : 'seeded pairs (no corpus here)'}`,
);
console.log(
  'size: against the smallest delta of about 20 peers; diff: against comparing the two; apply: against copying the target; geometric means\n',
);

const fixed = (value) => (Number.isNaN(value) ? '–' : value.toFixed(2)).padStart(9);
console.log(
  `${'group'.padEnd(28)}${'engine'.padEnd(8)}${['pairs', 'size', 'diff', 'apply'].map((head) => head.padStart(9)).join('')}`,
);
for (const group of new Set(pairs.map((pair) => pair.group))) {
  const members = pairs.filter((pair) => pair.group === group);
  for (const differ of engines) {
    const results = members.map((pair) => measure(differ, pair));
    const mean = (key) => fixed(geoMean(results.map((result) => result[key])));
    console.log(
      `${group.padEnd(28)}${differ.engine.padEnd(8)}${String(members.length).padStart(9)}${mean('size')}${mean('diff')}${mean('apply')}`,
    );
    if (!args.includes('--all')) continue;
    results.forEach((result, i) =>
      console.log(
        `  ${members[i].name.padEnd(34)}${String(result.length).padStart(9)}${fixed(result.size)}${fixed(result.diff)}${fixed(result.apply)}`,
      ),
    );
  }
}

console.log('\none changed byte in the middle, µs a call');
console.log(
  `${'size'.padEnd(12)}${'engine'.padEnd(8)}${['compare', 'diffInto', 'diff', 'apply'].map((head) => head.padStart(9)).join('')}`,
);
for (const size of [1 << 10, 1 << 16, 1 << 20]) {
  const base = Buffer.alloc(size);
  for (let i = 0; i < size; i++) base[i] = Math.imul(i, 2654435761) >>> 24;
  const target = Buffer.from(base);
  target[size >> 1] ^= 1;
  const same = Buffer.from(base);
  const out = Buffer.alloc(size + 16);
  for (const differ of engines) {
    const delta = differ.diff(base, target);
    const runs = [
      () => base.compare(same),
      () => differ.diffInto(base, target, out),
      () => differ.diff(base, target),
      () => differ.apply(base, delta, size),
    ];
    console.log(
      `${String(size).padEnd(12)}${differ.engine.padEnd(8)}${runs.map((run) => (time(run) / 1000).toFixed(2).padStart(9)).join('')}`,
    );
  }
}
