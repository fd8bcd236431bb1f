// One of the processes that work on the sessions of a store, until it is told to stop, or killed.
// argv: JSON of { url, folder, traces, who, seed, plant, every, local }
import { SessionRepository } from 'holdfast';
import { systemClock } from '../../dist/clock.js';
import { historyFile } from '../../dist/history/judge.js';
import { markFile } from '../../dist/history/mark-file.js';
import { PLANTS } from '../../dist/history/planted.js';
import { Recorder } from '../../dist/history/record.js';
import { LEASE_MS, SESSIONS, advance, definition, drawsOf, idOf, openPlace, openPlays } from './sessions.mjs';

/** Uses that go on at the same time in this process. */
const LANES = 3;
/** Half of the uses go to so many of the sessions. */
const HOT = 4;
/** Of a use that goes on without the store: all the others of its process would, too. */
const BREATH_MS = 20;
/** As many keys of a list are written down as seen. */
const SEEN = 6;

const { url, folder, traces, who, seed, plant, every, local } = JSON.parse(process.argv[2]);
const draw = drawsOf(seed);
const history = markFile(historyFile(folder, who));
const recorder = new Recorder({ who, clock: systemClock, sink: history.sink });
const opened = await openPlace(url);
const faulty = plant === undefined ? opened : PLANTS[plant](opened, { clock: systemClock, every });
const store = recorder.store(faulty, 'primary', 'primary');
const sessions = new SessionRepository({ store, definition, lock: { leaseMs: LEASE_MS }, storeTimeoutMs: 1000 });
const { plays } = await openPlays(traces);
const access = { create: true, timeoutMs: 5000, ...(local && { outage: { policy: 'serve-local', failMs: 100 } }) };
const settling = new Set();
let stopped = false;
let keys = 0;

async function use(index) {
  const id = idOf(index);
  const use = recorder.use({ store: 'primary', id });
  try {
    const session = await sessions.open(id, access);
    try {
      const { length, see } = change(session, use, plays[index % plays.length]);
      const saved = await session.saveAndClose();
      const done = () => (see(), use.done('ok', { length }));
      if (saved.stored) return void done();
      await settleLater(saved.settled.then(done, (error) => failed(use, error)));
    } finally {
      await session.close();
    }
  } catch (error) {
    failed(use, error);
  }
}

function failed(use, error) {
  if (error.name !== 'HoldfastError') throw error;
  use.done(error.outcome === 'unknown' ? 'unknown' : 'failed', { code: error.code });
}

async function settleLater(settled) {
  settling.add(settled);
  void settled.then(() => settling.delete(settled));
  process.send('here');
  await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
}

function change({ state, isNew }, use, play) {
  const { length } = state.keys;
  const from = Math.max(0, length - SEEN);
  const seen = isNew ? undefined : state.keys.slice(from);
  const see = () => use.saw(seen, { from });
  // What is here alone is nobody's to see, until it is stored.
  if (!local) see();
  const key = `${who}:${(keys += 1)}`;
  use.put([key]);
  advance(state, play);
  state.keys.push(key);
  return { length: length + 1, see: local ? see : () => undefined };
}

async function lane() {
  while (!stopped) {
    await use(draw(draw(2) === 0 ? HOT : SESSIONS));
    process.send('used');
  }
}

process.on('message', () => (stopped = true));
process.on('disconnect', () => process.exit(1));
await Promise.all(Array.from({ length: LANES }, lane));
await sessions.close({ timeoutMs: 5000 });
await Promise.all(settling);
await store.close();
history.close();
process.exit(0);
