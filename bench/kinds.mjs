// The binary differ beside others on kinds of data that no corpus has: bytes of each delta, and times of ours.
// node bench/kinds.mjs [--record]   after `npm run build`; `--record`: kept in bench/record/. fossil-delta comes from bench/package-lock.json, deflate (with the base as
// its dictionary) from Node; xdelta3, bsdiff and zstd are taken where they are installed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { loadDiffer } from '../dist/diff/engine.js';
import { kindPairs } from './diff/kinds.mjs';
import { installContenders } from './install.mjs';

installContenders();
const { createDelta } = await import('fossil-delta');
const differ = loadDiffer();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-kinds-'));
const [old, now, delta] = ['old', 'new', 'delta'].map((name) => join(folder, name));
/** A window of deflate. */
const WINDOW = 1 << 15;

/** What a program of the system makes; undefined where it is not installed. */
function program(command, ...args) {
  const { status } = spawnSync(command, args, { stdio: 'ignore' });
  return status === 0 ? readFileSync(delta).length : undefined;
}

const OTHERS = {
  'fossil-delta': ({ base, target }) => createDelta(base, target).length,
  deflate: ({ base, target }) => deflateRawSync(target, { level: 9, dictionary: base.subarray(-WINDOW) }).length,
  'xdelta3 -9': () => program('xdelta3', '-e', '-9', '-f', '-B', String(1 << 26), '-S', 'djw', '-s', old, now, delta),
  bsdiff: () => program('bsdiff', old, now, delta),
  'zstd -19': () => program('zstd', '-19', '--long=27', '-q', '-f', `--patch-from=${old}`, now, '-o', delta),
};

/** Best of some calls, in µs. */
function time(run) {
  let best = Infinity;
  const end = performance.now() + 100;
  for (let round = 0; round < 3 || performance.now() < end; round++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return 1000 * best;
}

const began = new Date().toISOString().slice(0, 16);
const lines = [];
function print(first, cells) {
  lines.push(first.padEnd(26) + cells.map((cell) => String(cell).padStart(13)).join(''));
  console.log(lines.at(-1));
}
const { platform, arch, version } = process;
print(
  `${began}Z, ${cpus()[0]?.model} × ${cpus().length}, ${platform} ${arch}, Node ${version}, load ${loadavg()[0].toFixed(1)} when it began`,
  [],
);
print('bytes', ['target', 'holdfast', ...Object.keys(OTHERS), 'µs', '÷ fossil']);
for (const pair of kindPairs()) {
  const { name, base, target } = pair;
  writeFileSync(old, base);
  writeFileSync(now, target);
  const made = differ.diff(base, target);
  if (Buffer.compare(differ.apply(base, made, target.length), target) !== 0) throw new Error(`${name}: misapplied`);
  const sizes = Object.values(OTHERS).map((other) => other(pair) ?? '–');
  const ours = time(() => differ.diff(base, target));
  const theirs = time(() => createDelta(base, target));
  print(name, [target.length, made.length, ...sizes, ours.toFixed(1), (ours / theirs).toFixed(3)]);
}
rmSync(folder, { recursive: true });
if (process.argv.includes('--record')) {
  const file = `record/kinds-${began.replace(':', '')}.txt`;
  writeFileSync(new URL(file, import.meta.url), `${lines.join('\n')}\n`);
}
