// One of the processes that work on the sessions of a store, until it is told to stop, or killed.
// argv: JSON of { url, folder, traces, who, seed, plant, every }
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
/** As many keys of a list are written down as seen. */
const SEEN = 6;

const { url, folder, traces, who, seed, plant, every } = JSON.parse(process.argv[2]);
const draw = drawsOf(seed);
const history = markFile(historyFile(folder, who));
const recorder = new Recorder({ who, clock: systemClock, sink: history.sink });
const opened = await openPlace(url);
const faulty = plant === undefined ? opened : PLANTS[plant](opened, { clock: systemClock, every });
const store = recorder.store(faulty, 'primary', 'primary');
const sessions = new SessionRepository({ store, definition, lock: { leaseMs: LEASE_MS }, storeTimeoutMs: 1000 });
const { plays } = await openPlays(traces);
let stopped = false;
let keys = 0;

async function use(index) {
  const id = idOf(index);
  const use = recorder.use({ store: 'primary', id });
  try {
    const session = await sessions.open(id, { create: true, timeoutMs: 5000 });
    try {
      const length = change(session, use, plays[index % plays.length]);
      await session.saveAndClose();
      use.done('ok', { length });
    } finally {
      await session.close();
    }
  } catch (error) {
    if (error.name !== 'HoldfastError') throw error;
    use.done(error.outcome === 'unknown' ? 'unknown' : 'failed', { code: error.code });
  }
}

function change({ state, isNew }, use, play) {
  const { length } = state.keys;
  const from = Math.max(0, length - SEEN);
  use.saw(isNew ? undefined : state.keys.slice(from), { from });
  const key = `${who}:${(keys += 1)}`;
  use.put([key]);
  advance(state, play);
  state.keys.push(key);
  return length + 1;
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
await sessions.close();
await store.close();
history.close();
process.exit(0);
