// What is kept of an attribute's base between saves (option `base`): of each kind the memory, the bytes of a step's
// record, the reads of the store and the time, beside `bytes`, in one run. Sessions with one large attribute, in which
// each scope changes one field, or all of it is assigned anew. Memory store, one process.
// usage: node bench/base.mjs [--sessions N] [--steps N]
import { cpus } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parseArgs } from 'node:util';
import { MemoryStore, SessionRepository, defineSession, mutable } from '../dist/index.js';
import { KEPT_BASES } from '../dist/sync/base.js';
import { rowOf, rowsOf } from './rows.mjs';

const { values: flags } = parseArgs({
  options: { sessions: { type: 'string', default: '8' }, steps: { type: 'string', default: '400' } },
});
const sessions = Number(flags.sessions);
const steps = Number(flags.steps);
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const definition = defineSession({ rows: mutable(() => []) });

const EDITS = {
  'one field': (state, turn) => void (state.rows[(turn * 7) % state.rows.length].price.amount = turn * 3),
  'a row replaced': (state, turn) => void state.rows.splice((turn * 11) % state.rows.length, 1, rowOf(turn)),
};

/** A store that counts what is asked of it. */
function counting(store) {
  const counts = { reads: 0, bytes: 0 };
  const link = new Proxy(store, {
    get(target, name) {
      const found = target[name];
      if (typeof found !== 'function') return found;
      return (...args) => {
        if (name === 'read') counts.reads += 1;
        if (name === 'append') counts.bytes += args[1].bytes.length;
        return found.apply(target, args);
      };
    },
  });
  return { store: link, counts };
}

/** Bytes outside of JavaScript's heap. */
async function arrayBuffers() {
  for (let i = 0; i < 3; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
  }
  return process.memoryUsage().arrayBuffers;
}

async function measure(base, bytes, edit) {
  const { store, counts } = counting(new MemoryStore());
  let repository = new SessionRepository({ store, definition, base, lock: { leaseMs: 3_600_000 } });
  const rows = rowsOf(bytes);
  let whole = 0;
  for (let i = 0; i < sessions; i += 1) {
    const session = await repository.open(`s${i}`, { create: { rows } });
    await session.save();
    edit(session.state, i); // by now its value is decoded
    await session.saveAndClose();
    whole += session.byteLength;
  }
  Object.assign(counts, { reads: 0, bytes: 0 });
  const began = performance.now();
  for (let i = 0; i < steps; i += 1) await repository.scope(`s${i % sessions}`, (state) => edit(state, i + 1));
  const us = ((performance.now() - began) * 1000) / steps;
  const found = { reads: counts.reads / steps, bytes: counts.bytes / steps, us };
  const kept = await arrayBuffers();
  await repository.close();
  repository = undefined;
  return { ...found, kept: (kept - (await arrayBuffers())) / whole };
}

console.log(`${cpus()[0].model}, Node ${process.version}; ${sessions} sessions, ${steps} steps`);
console.log('                                kept ÷ value   bytes a step   reads a step   time ÷ bytes');
for (const [name, bytes] of [
  ['16 KB', 16 << 10],
  ['256 KB', 256 << 10],
  ['1 MB', 1 << 20],
])
  for (const [what, edit] of Object.entries(EDITS)) {
    const times = new Map();
    for (const base of KEPT_BASES) {
      const { kept, bytes: sent, reads, us } = await measure(base, bytes, edit);
      times.set(base, us);
      const cells = [kept.toFixed(3), sent.toFixed(0), reads.toFixed(2), (us / times.get('bytes')).toFixed(1)];
      console.log(
        `${name}, ${what}`.padEnd(23) + base.padEnd(10) + cells.map((cell) => cell.padStart(11)).join('    '),
      );
    }
  }
