// One of the other processes of a storm. argv: role, folder, and what the role needs. Says `acknowledged SESSION
// REVISION` for each save.
import { readFileSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker, isMainThread, parentPort, threadId, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { SqliteStore } from 'holdfast/sqlite';
import { append, bodyOf, examine, isPassing } from './entries.mjs';

const LANES = 4;
/** Revisions of a session, before the next is begun. */
const MOST = 100;
const SESSIONS = 60;
const REVISIONS = 4;
const sizeOf = (session) => (session % 20 === 3 ? 20_000 : 100);

const [, , role, dir, ...rest] = isMainThread ? process.argv : [0, 0, 'worker', ...workerData];

/** Where it is full, it is not said: fewer are known of then. */
function acknowledge(name, revision) {
  try {
    writeSync(1, `acknowledged ${name} ${revision}\n`);
  } catch (error) {
    if (error.code !== 'EAGAIN') throw error;
  }
}

async function lane(store, name, options) {
  for (let block = 0; ; block += 1) {
    for (let revision = 1; revision <= MOST; revision += 1) {
      await append(store, `${name}.${block}`, revision, options);
      acknowledge(`${name}.${block}`, revision);
    }
  }
}

const lanes = (store, name, count, options) =>
  Promise.all(Array.from({ length: count }, (_, index) => lane(store, `${name}.${index}`, options)));

async function reopen(name) {
  for (let block = 0; ; block += 1) {
    for (let revision = 1; revision <= MOST; revision += 1) {
      const store = await openPatiently();
      await append(store, `${name}.${block}`, revision);
      acknowledge(`${name}.${block}`, revision);
      await store.close().catch(ifBusy);
    }
  }
}

const ifBusy = (error) => {
  if (!isPassing(error)) throw error;
};

async function openPatiently() {
  for (;;) {
    const store = await SqliteStore.open({ dir }).catch(ifBusy);
    if (store !== undefined) return store;
  }
}

/** Some records are longer than a page. */
async function base() {
  const store = await SqliteStore.open({ dir });
  for (let revision = 1; revision <= REVISIONS; revision += 1)
    await Promise.all(
      Array.from({ length: SESSIONS }, (_, session) =>
        append(store, `s${session}`, revision, { size: sizeOf(session) }),
      ),
    );
  if (rest[0] === 'die') process.kill(process.pid, 'SIGKILL');
  await store.close();
}

/** A gap is told by the records themselves: each names the one before it, and the head the last. */
async function judgeOne(store, session) {
  const { head, records } = await store.read(`s${session}`, { since: { revision: 0, nonce: 0 } });
  if (head === undefined) return 'missing';
  const all = Array.from({ length: REVISIONS }, (_, at) => bodyOf(`s${session}`, at + 1, sizeOf(session)));
  const found = records.map((record) => all.findIndex((body) => body.equals(record)));
  if (found.some((at, index) => at < 0 || at <= (found[index - 1] ?? -1))) return 'wrong';
  return records.length === REVISIONS ? 'right' : 'said';
}

/** What is told of each folder: see `damage.mjs`. */
async function judge(folder) {
  let store;
  try {
    store = await SqliteStore.open({ dir: folder });
  } catch (error) {
    return ['ERR_CORRUPT', 'ERR_INVALID'].includes(error.code) ? 'said' : `${error.code}: ${error.message}`;
  }
  const seen = new Set();
  for (let session = 0; session < SESSIONS; session += 1) {
    try {
      seen.add(await judgeOne(store, session));
    } catch (error) {
      seen.add(error.code === 'ERR_CORRUPT' ? 'said' : `${error.code}: ${error.message}`);
    }
  }
  const faults = seen.has('missing') ? (await store.check()).faults : [];
  await store.close();
  if (faults.length > 0) seen.add('found by a look through all of it').delete('missing');
  seen.delete('right');
  return ['wrong', 'missing', ...seen].find((each) => seen.has(each)) ?? 'right';
}

/** Ends workers in the middle of commits, while this thread commits too. */
async function terminate(count, name) {
  const store = await SqliteStore.open({ dir });
  for (let round = 1; round <= count; round += 1) {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: [dir, `${name}.${round}`] });
    await once(worker, 'message');
    await pause(Math.random() * 10);
    await Promise.all([append(store, `${name}.main`, round), worker.terminate()]);
    acknowledge(`${name}.main`, round);
    console.log('terminated');
  }
  await store.close();
}

/** Until nothing goes in any more; then, when there is room, once more. */
async function fill(name) {
  const store = await SqliteStore.open({ dir });
  const failed = await lanes(store, name, LANES, { size: 3000, tries: 1 }).catch((error) => error);
  const more = await append(store, `${name}.more`, 1, { size: 30_000, tries: 1 }).catch((error) => error);
  console.log(`full ${failed.code} ${failed.outcome} ${failed.message}`);
  if (more === undefined) acknowledge(`${name}.more`, 1);
  await once(process.stdin, 'data');
  await append(store, `${name}.after`, 1);
  acknowledge(`${name}.after`, 1);
  await store.close();
}

/** Three saves; two more, when it hears a line, of which nothing may be acknowledged that is gone. */
async function hold(name) {
  const store = await SqliteStore.open({ dir });
  for (let revision = 1; revision <= 3; revision += 1) {
    await append(store, name, revision);
    acknowledge(name, revision);
  }
  console.log('ready');
  await once(process.stdin, 'data');
  for (let round = 0; round < 2; round += 1) {
    try {
      await append(store, name, 4, { tries: 1 });
      acknowledge(name, 4);
    } catch (error) {
      console.log(`said ${error.code} ${error.outcome} ${error.message}`);
    }
  }
  await store.close();
}

const ROLES = {
  append: async (name) => lanes(await openPatiently(), name, LANES),
  reopen,
  base,
  fill,
  hold,
  terminate: (name, count) => terminate(Number(count), name),
  exit: async (name) => {
    void lanes(await SqliteStore.open({ dir }), name, 16);
    setTimeout(() => process.exit(3), 50 + Math.random() * 100);
  },
  worker: async (name) => {
    const store = await SqliteStore.open({ dir });
    await append(store, `${name}.first`, 1);
    void lanes(store, `${name}.${threadId}`, 16);
    parentPort.postMessage('up');
  },
  judge: () => process.on('message', async (folder) => process.send(await judge(folder))),
  examine: async (file) => {
    const store = await SqliteStore.open({ dir });
    console.log(`counted ${JSON.stringify(await examine(store, JSON.parse(readFileSync(file, 'utf8'))))}`);
    await store.close();
  },
};

await ROLES[role](...rest);
if (['base', 'fill', 'hold', 'terminate', 'examine'].includes(role)) process.exit(0);
