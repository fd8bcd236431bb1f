// The graph differ beside differs from npm: bytes of the delta, and the time to find it between live values, for states
// as sessions have them; then the same from bytes to bytes. A contender counts where its delta makes the target again, be it with the keys in another order
// (~); an empty cell is one whose delta does not. Contenders take turns; ratios of one run hold.
// usage: npm run bench:graph [-- --sizes] [--only TEXT] [--record]
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import * as graph from '../dist/graph.js';
import { msgpackCodec } from '../dist/codec/msgpack.js';
import { installContenders } from './install.mjs';

const { values: flags } = parseArgs({
  options: {
    sizes: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    record: { type: 'boolean', default: false },
  },
});
installContenders();
const { peers } = await import('./graph/peers.mjs');
const { states } = await import('./graph/states.mjs');
const pairs = states().filter(({ name }) => name.includes(flags.only));
const names = Object.keys(peers);
/** Smaller states are not timed. */
const LARGE = 50_000;
/** Of each contender and state. */
const BUDGET_MS = 400;
const NAME = 29;

const lines = [];
const say = (line) => {
  lines.push(line);
  console.log(line);
};
const cell = (text) => String(text).padStart(12);
const headings = (heads) => heads.map((head) => cell(head.slice(0, 11))).join('');

say(`${cpus()[0]?.model}, Node ${process.version}, ${new Date().toISOString().slice(0, 16)}`);
sizes();
if (!flags.sizes) {
  speeds();
  speedsOfBytes();
}
if (flags.record) {
  const stamp = new Date().toISOString().slice(0, 16).replaceAll(':', '');
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'record');
  writeFileSync(join(folder, `graph-${stamp}.txt`), `${lines.join('\n')}\n`);
}

function sizes() {
  say("\nbytes of the delta; ~: it makes the target with its keys in another order; '': it does not make the target");
  say(`${'state'.padEnd(NAME)}${headings(['JSON', 'holdfast', ...names, 'of the least'])}`);
  let larger = 0;
  for (const { name, base, target } of pairs) {
    const delta = graph.diff(base, target);
    if (JSON.stringify(graph.apply(base, delta)) !== JSON.stringify(target))
      throw new Error(`${name}: the round trip failed`);
    const [from, to] = [base, target].map((value) => msgpackCodec.encode(value, 'state'));
    const inBytes = graph.diff(from, to, { bytes: true });
    if (!Buffer.from(delta).equals(inBytes) || !Buffer.from(to).equals(graph.apply(from, delta, { bytes: true })))
      throw new Error(`${name}: bytes say something else than values`);
    const found = names.map((peer) => sizeOf(peers[peer], base, target));
    const least = Math.min(...found.map(({ bytes }) => bytes));
    if (delta.length > least) larger += 1;
    const cells = found.map(({ bytes, mark }) => (bytes === Infinity ? '' : `${mark}${bytes}`));
    const row = [JSON.stringify(target).length, delta.length, ...cells, (delta.length / least).toFixed(2)];
    say(`${name.padEnd(NAME)}${row.map(cell).join('')}`);
  }
  say(`larger than the smallest contender on ${larger} of ${pairs.length} states`);
}

function sizeOf({ diff, apply }, base, target) {
  const none = { bytes: Infinity, mark: '' };
  try {
    const delta = diff(base, target);
    const made = apply(base, delta);
    if (!isDeepStrictEqual(made, target)) return none;
    const isExact = JSON.stringify(made) === JSON.stringify(target);
    if (!isExact && ['', '[]', '{}'].includes(delta)) return none;
    return { bytes: Buffer.byteLength(delta), mark: isExact ? '' : '~' };
  } catch {
    return none;
  }
}

function speeds() {
  const live = names.filter((name) => peers[name].find !== undefined);
  say(`\nµs a call on live values, lower quartile; states of ${LARGE} bytes of JSON and more`);
  say("microdiff sends a changed text whole and does not see the order of keys; '': a call took too long, or threw");
  say('diff is told that nothing is in several places (trees); graphs: it has to look, which no other does');
  say(`${'state'.padEnd(NAME)}${headings(['diff', 'graphs', 'apply', ...live, '× microdiff'])}`);
  for (const { name, base, target } of pairs) {
    if (JSON.stringify(target).length < LARGE) continue;
    const delta = graph.diff(base, target);
    const times = quartiles([
      () => graph.diff(base, target, { trees: true }),
      () => graph.diff(base, target),
      () => graph.apply(base, delta),
      ...live.map((peer) => () => peers[peer].find(base, target)),
    ]);
    const ratio = (times[3 + live.indexOf('microdiff')] / times[0]).toFixed(2);
    say(
      `${name.padEnd(NAME)}${times.map((time) => cell(time === Infinity ? '' : time.toFixed(1))).join('')}${cell(ratio)}`,
    );
  }
}

/** Who has only values, and tracks nothing, has to copy the state, go through both, and write down what it found. */
function speedsOfBytes() {
  say(
    '\nµs a call from bytes to bytes (diff, apply), beside a copy of the bytes, and microdiff with a structuredClone of the state',
  );
  say(
    "GB/s: the state's bytes in the time of apply; × microdiff: what diff takes goes so often into microdiff and clone",
  );
  say(`${'state'.padEnd(NAME)}${headings(['bytes', 'diff', 'apply', 'copy', 'microdiff', 'GB/s', '× microdiff'])}`);
  for (const { name, base, target } of pairs) {
    if (JSON.stringify(target).length < LARGE) continue;
    const [from, to] = [base, target].map((value) => msgpackCodec.encode(value, 'state'));
    const delta = graph.diff(from, to, { bytes: true });
    const [diff, apply, copy, other] = quartiles([
      () => graph.diff(from, to, { bytes: true }),
      () => graph.apply(from, delta, { bytes: true }),
      () => Buffer.allocUnsafe(to.length).set(to),
      () => [structuredClone(target), peers.microdiff.diff(base, target)],
    ]);
    const times = [diff, apply, copy, other].map((time) => time.toFixed(1));
    const row = [to.length, ...times, (to.length / apply / 1000).toFixed(2), (other / diff).toFixed(1)];
    say(`${name.padEnd(NAME)}${row.map(cell).join('')}`);
  }
}

/** Of each in µs; they take turns, so that what else the machine does hits all alike. */
function quartiles(runs) {
  const times = runs.map(() => []);
  const spent = runs.map(() => 0);
  for (let round = 0; round < 400 && spent.some((ms) => ms < BUDGET_MS); round += 1) {
    runs.forEach((run, i) => {
      if (spent[i] >= BUDGET_MS) return;
      const start = performance.now();
      try {
        run();
      } catch {
        spent[i] = Infinity;
      }
      const took = spent[i] === Infinity ? Infinity : performance.now() - start;
      spent[i] += took;
      times[i].push(1000 * took);
    });
  }
  return times.map((all) => (all.length < 3 ? Infinity : all.toSorted((a, b) => a - b)[all.length >> 2]));
}
