/** Pairs of consecutive states, in groups, and the smallest delta that a peer is known to make of each. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededPairs } from './states.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Lengths of the target that part real data into S, M and L. */
const MEDIUM = 1 << 16;
const LARGE = 900_000;

function groupOf(set, name, length) {
  if (set.startsWith('syn')) {
    if (name.startsWith('tick')) return 'ticks';
    return ['same', 'reorder', 'unrelated'].includes(name) ? name : 'small';
  }
  if (length < MEDIUM) return 'real S';
  return length < LARGE ? 'real M' : 'real L';
}

const isMade = (folder) => existsSync(join(folder, 'index.tsv'));

function makeCorpus(source, made, isReal) {
  if (isMade(made)) return true;
  const make = (env) =>
    spawnSync(process.execPath, [join(source, 'make-corpus.mjs'), made], { cwd: root, env, stdio: 'ignore' }).status ===
    0;
  return (isReal && make(process.env)) || make({ ...process.env, SKIP_REAL: '1' });
}

/**
 * Made into `HOLDFAST_CORPUS`, or a temporary folder, the first time; undefined where there is no corpus beside this
 * repository, or in there. `isQuick`: where it is not made yet only the part that needs no network is.
 */
export function corpusPairs(isQuick = false) {
  const source = join(root, '../shared/corpus');
  const whole = process.env.HOLDFAST_CORPUS ?? join(tmpdir(), 'holdfast-corpus');
  const oracle = [source, whole].map((folder) => join(folder, 'oracle.tsv')).find((file) => existsSync(file));
  const made = isQuick && !isMade(whole) ? `${whole}-seeded` : whole;
  if (oracle === undefined || !makeCorpus(source, made, !isQuick)) return undefined;
  const file = (name) => join(made, 'files', name);
  const rows = readFileSync(oracle, 'utf8').trim().split('\n').slice(1);
  return rows
    .map((line) => line.split('\t'))
    .filter((row) => existsSync(file(row[3])) && existsSync(file(row[4])))
    .map(([set, name, encoding, old, now, , length, oracle]) => ({
      group: groupOf(set, name, Number(length)),
      name: `${set} ${name} ${encoding}`,
      base: readFileSync(file(old)),
      target: readFileSync(file(now)),
      oracle: Number(oracle),
    }));
}

/** The corpus, or without it pairs made from a seed, which no peer has seen. */
export function loadPairs() {
  const found = corpusPairs();
  return { pairs: found ?? seededPairs().map((pair) => ({ ...pair, oracle: NaN })), isCorpus: found !== undefined };
}
