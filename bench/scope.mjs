// What a scope costs, from the fixed part (a reading one, one that saves a tiny attribute, both also without a lock) to edits inside large
// attributes: 10 reads and 3 nested writes. One process, memory store; each beside parsing and stringifying the whole
// session as JSON, in turn, in one run.
// usage: node bench/scope.mjs [--rounds N] [--record]      `--record`: kept in bench/record/
import { parseArgs } from 'node:util';
import { MemoryStore, SessionRepository, defineSession, mutable } from '../dist/index.js';
import { recorder } from './record.mjs';
import { rowsOf } from './rows.mjs';

const { values: flags } = parseArgs({
  options: { rounds: { type: 'string', default: '25' }, record: { type: 'boolean', default: false } },
});
const rounds = Number(flags.rounds);
/** Each contender runs so long at a stretch. */
const STRETCH_MS = 20;

const definition = defineSession({ count: mutable(() => 0), items: mutable(() => []) });

async function repositoryWith(items) {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition, lock: { leaseMs: 3_600_000 } });
  await sessions.scope('s', (state) => void (state.items = items), { create: {} });
  return sessions;
}

let turn = 0;

/** No number is the one that was there: what is equal is not saved. */
function editAt(items, length) {
  turn += 1;
  let seen = 0;
  for (let i = 0; i < 10; i += 1) seen += items[(turn * 7 + i * 13) % length].amount;
  for (let i = 0; i < 3; i += 1)
    items[(turn * 11 + i * 17) % length].price.amount = 1000 + ((turn * 7 + i + (seen % 5)) % 60_000);
}

async function contenders() {
  const small = await repositoryWith([]);
  const list = [
    ['reading scope', () => small.scope('s', (state) => state.count), undefined],
    [
      'tiny save',
      () => small.scope('s', (state) => void (state.count = (state.count + 1) % 60_000)),
      'scope that changes a number, saved',
    ],
    ['read mode', () => small.scope('s', (state) => state.count, { mode: 'read' })],
    [
      'optimistic save',
      () => small.scope('s', (state) => void (state.count = (state.count + 1) % 60_000), { mode: 'optimistic' }),
    ],
  ];
  for (const [name, bytes] of [
    ['2 KB', 2 << 10],
    ['16 KB', 16 << 10],
    ['64 KB', 64 << 10],
    ['1 MB', 1 << 20],
  ]) {
    const items = rowsOf(bytes);
    const sessions = await repositoryWith(items);
    let text = JSON.stringify({ count: 0, items });
    list.push([`${name}, edit`, () => sessions.scope('s', (state) => editAt(state.items, items.length))]);
    list.push([
      `${name}, JSON`,
      async () => {
        const state = JSON.parse(text);
        editAt(state.items, items.length);
        text = JSON.stringify(state);
      },
    ]);
  }
  return list.map(([name, run]) => ({ name, run, times: [] }));
}

/** Mean of a stretch, in µs. */
async function stretch(run) {
  const startedAt = performance.now();
  let runs = 0;
  while (performance.now() - startedAt < STRETCH_MS) {
    await run();
    runs += 1;
  }
  return ((performance.now() - startedAt) * 1000) / runs;
}

const all = await contenders();
for (let round = 0; round < rounds + 3; round += 1) {
  for (const { run, times } of all) {
    const time = await stretch(run);
    if (round >= 3) times.push(time); // the compiler's work is nobody's fault
  }
}

const place = (times, part) => times.toSorted((a, b) => a - b)[Math.floor(part * (times.length - 1))];
const cell = (text, width = 12) => text.padStart(width);
const { line, end } = recorder('scope', flags.record);
line(`${rounds} rounds, each contender ${STRETCH_MS} ms in turn`);
line(`${'µs a scope'.padEnd(18)}${cell('low decile')}${cell('median')}${cell('÷ JSON')}`);
for (const [i, { name, times }] of all.entries()) {
  const json = all[i + 1];
  const ratio = json?.name.endsWith('JSON') ? (place(times, 0.1) / place(json.times, 0.1)).toFixed(2) : '';
  line(`${name.padEnd(18)}${cell(place(times, 0.1).toFixed(1))}${cell(place(times, 0.5).toFixed(1))}${cell(ratio)}`);
}
end();
process.exit(0); // leases of an hour
