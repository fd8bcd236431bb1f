// How long a save takes and what it sends: native differ, JavaScript differ, changed attributes whole, and the whole
// session at every save as today's stores do. One process, memory store, each contender on the same steps in one run.
// usage: node bench/main.mjs [--steps N] [TRACE…]      traces default to ../shared/traces; without them, seeded states
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MemoryStore, SessionRepository, defineSession, mutable } from '../dist/index.js';
import { applyEdits, openTrace } from '../dist/cli/trace.js';

const { values: flags, positionals } = parseArgs({
  options: { steps: { type: 'string', default: '4000' } },
  allowPositionals: true,
});
const maxSteps = Number(flags.steps);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const WARM_UP = 2000;

const contenders = {
  native: (store) => repositoryWith(store, { engine: 'native' }),
  js: (store) => repositoryWith(store, { engine: 'js' }),
  'whole attributes': (store) => repositoryWith(store, { differencing: 'off' }),
  'whole session': (store) => wholeSession(store),
};

for (const [name, steps] of await workloads()) {
  const results = [];
  for (const [contender, make] of Object.entries(contenders)) {
    try {
      await run(make, steps.slice(0, WARM_UP)); // the compiler's work is nobody's fault
      results.push({ contender, ...(await run(make, steps)) });
    } catch (error) {
      if (error.code !== 'ERR_INVALID' && error.code !== 'ERR_UNAVAILABLE') throw error;
      console.log(`${name}: ${contender} left out: ${error.message}`);
    }
  }
  report(name, steps.length, results);
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
    const { id, edit } = steps[i];
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
  console.log(`\n${name}, ${steps} steps`);
  console.log(
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
    console.log(`  ${contender.padEnd(18)}${cells.map((cell) => cell.padStart(12)).join('')}`);
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
  console.log('no recorded histories at hand: seeded states instead');
  return [['64 KB session, one field changed', seededSteps()]];
}

async function traceSteps(file) {
  const { header, lines } = await openTrace(file);
  const binary = new Set(header.binary);
  const steps = [];
  for await (const { record } of lines) {
    if (steps.length >= maxSteps) break;
    const { sid: id } = record;
    if (record.new ?? record.s)
      steps.push({ id, edit: (_state, replace) => replace(structuredClone(record.new ?? record.s)) });
    else if (record.e) steps.push({ id, edit: (state) => applyEdits(state, structuredClone(record.e), binary) });
  }
  return steps;
}

function seededSteps() {
  const cart = Array.from({ length: 1500 }, (_, i) => ({
    sku: `SKU-${(i * 7919) % 100_003}`,
    quantity: i % 9,
    price: (i * 31) % 997,
  }));
  const first = { id: 's', edit: (_state, replace) => replace({ cart: structuredClone(cart), visits: 0 }) };
  const change = (i) => ({ id: 's', edit: (state) => void (state.cart[(i * 613) % 1500].quantity = i % 97) });
  return [first, ...Array.from({ length: Math.min(maxSteps, 2000) }, (_, i) => change(i))];
}
