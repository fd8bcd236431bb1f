// How long a save takes and what it sends: native differ, JavaScript differ, changed attributes whole, and the whole
// session at every save as today's stores do. One process, memory store, each contender on the same steps in one run.
// usage: node bench/main.mjs [--steps N] [--record] [TRACE…]      traces default to ../shared/traces; without them, seeded
// states; `--record`: kept in bench/record/
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MemoryStore, SessionRepository, defineSession, mutable } from '../dist/index.js';
import { applyEdits, openTrace } from '../dist/cli/trace.js';
import { recorder } from './record.mjs';

const { values: flags, positionals } = parseArgs({
  options: { steps: { type: 'string', default: '4000' }, record: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const maxSteps = Number(flags.steps);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const ROUNDS = 4;

const { line, end } = recorder('main', flags.record);
const contenders = {
  native: (store) => repositoryWith(store, { engine: 'native' }),
  js: (store) => repositoryWith(store, { engine: 'js' }),
  'whole attributes': (store) => repositoryWith(store, { differencing: 'off' }),
  'whole session': (store) => wholeSession(store),
};

for (const [name, steps] of await workloads()) report(name, steps.length, await bestOf(steps));
end();

/** Of each contender the best of its rounds, which all take in turn; the first is the compiler's. */
async function bestOf(steps) {
  const best = new Map();
  const running = new Map(Object.entries(contenders));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [contender, make] of running) {
      try {
        const result = await run(make, steps);
        if (round === 1 || result.mean < best.get(contender)?.mean) best.set(contender, result);
      } catch (error) {
        if (error.code !== 'ERR_INVALID' && error.code !== 'ERR_UNAVAILABLE') throw error;
        line(`${contender} left out: ${error.message}`);
        running.delete(contender);
      }
    }
  }
  return [...best].map(([contender, result]) => ({ contender, ...result }));
}

function repositoryWith(store, options) {
  const definition = defineSession({}, { undeclared: mutable() });
  const sessions = new SessionRepository({ store, definition, lock: { leaseMs: 3_600_000 }, ...options });
  return {
    async step(id, edit) {
      const session = await sessions.open(id, { create: true });
      edit(session.state, (state) => session.replace(state));
      return (await session.saveAndClose()).bytes;
    },
    close: () => sessions.close(),
  };
}

/** Reads and writes everything on every step: JSON, as express-session stores do. At its best: no network, no lock. */
function wholeSession() {
  const saved = new Map();
  return {
    async step(id, edit) {
      let state = saved.has(id) ? JSON.parse(saved.get(id)) : {};
      edit(state, (next) => (state = next));
      const text = Buffer.from(JSON.stringify(state));
      saved.set(id, text);
      return text.length;
    },
    close: async () => undefined,
  };
}

async function run(make, steps) {
  const contender = make(new MemoryStore());
  const times = new Float64Array(steps.length);
  let bytes = 0;
  for (let i = 0; i < steps.length; i += 1) {
    const { id, prepare } = steps[i];
    const edit = prepare();
    const startedAt = performance.now();
    bytes += await contender.step(id, edit);
    times[i] = performance.now() - startedAt;
  }
  await contender.close();
  times.sort();
  const at = (part) => times[Math.min(times.length - 1, Math.floor(part * times.length))] * 1000;
  return {
    bytes,
    p50: at(0.5),
    p99: at(0.99),
    mean: (times.reduce((sum, time) => sum + time, 0) / times.length) * 1000,
  };
}

function report(name, steps, results) {
  const reference = results.find(({ contender }) => contender === 'whole session');
  line();
  line(`${name}, ${steps} steps`);
  line(
    `  ${'contender'.padEnd(18)}${['bytes/step', 'bytes ÷', 'p50 µs', 'p99 µs', 'mean µs', 'time ÷'].map((title) => title.padStart(12)).join('')}`,
  );
  for (const { contender, bytes, p50, p99, mean } of results) {
    const cells = [
      (bytes / steps).toFixed(0),
      (bytes / reference.bytes).toFixed(4),
      p50.toFixed(1),
      p99.toFixed(1),
      mean.toFixed(1),
      (mean / reference.mean).toFixed(2),
    ];
    line(`  ${contender.padEnd(18)}${cells.map((cell) => cell.padStart(12)).join('')}`);
  }
}

async function workloads() {
  const folder = join(root, '../shared/traces');
  const files =
    positionals.length > 0
      ? positionals
      : existsSync(folder)
        ? readdirSync(folder)
            .filter((file) => file.endsWith('.jsonl.br'))
            .map((file) => join(folder, file))
        : [];
  if (files.length > 0) return Promise.all(files.map(async (file) => [basename(file), await traceSteps(file)]));
  line('no recorded histories at hand: seeded states instead');
  return [['64 KB session, one field changed', seededSteps()]];
}

async function traceSteps(file) {
  const { header, lines } = await openTrace(file);
  const binary = new Set(header.binary);
  const steps = [];
  for await (const { record } of lines) {
    if (steps.length >= maxSteps) break;
    const { sid: id } = record;
    if (record.new ?? record.s) steps.push({ id, prepare: () => replacing(structuredClone(record.new ?? record.s)) });
    else if (record.e) steps.push({ id, prepare: () => editing(structuredClone(record.e), binary) });
  }
  return steps;
}

/** What the application brings to a step is made before the clock runs. */
function replacing(values) {
  return (_state, replace) => replace(values);
}

function editing(edits, binary) {
  return (state) => applyEdits(state, edits, binary);
}

function seededSteps() {
  const cart = Array.from({ length: 1500 }, (_, i) => ({
    sku: `SKU-${(i * 7919) % 100_003}`,
    quantity: i % 9,
    price: (i * 31) % 997,
  }));
  const first = { id: 's', prepare: () => replacing({ cart: structuredClone(cart), visits: 0 }) };
  const edit = (i) => (state) => void (state.cart[(i * 613) % 1500].quantity = i % 97);
  const change = (i) => ({ id: 's', prepare: () => edit(i) });
  return [first, ...Array.from({ length: Math.min(maxSteps, 2000) }, (_, i) => change(i))];
}
