// One process of the bench of stores: prepares its load, says so, runs it when told to, answers with figures.
// usage: forked with the task as JSON
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { stores } from '../contenders/stores.mjs';

/** Of one slot: it has one append in flight, on each in turn, so that no log grows long. */
const SESSIONS = 16;
const READ_SESSIONS = 1000;
const READ_RECORDS = 3;
const WARM_UP_MS = 300;
/** What the other holds it for before it is asked. */
const HELD_MS = 3;
const LOOP_RESOLUTION_MS = 1;

const loads = { append, read, handOver, fill };
const task = JSON.parse(process.argv[2]);
const payloads = makePayloads();
// Whoever only waits for the other side must stay alive.
process.on('message', () => undefined);
const store = await stores[task.contender].open(task.dir);
const run = await loads[task.load](task);
process.send({ ready: true });
await once(process, 'message');
process.send({ figures: await run() });
await once(process, 'message');
// The files of the others are thrown away; what waits for a lock there would meet a closed store.
if (task.load === 'fill') await store.close();
process.exit();

/** 40 to 300 bytes that do not compress, mean 170, the same in every run. */
function makePayloads() {
  let seed = 12345;
  const next = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
  return Array.from({ length: 261 }, (_, index) => Buffer.from({ length: 40 + ((index * 100) % 261) }, next));
}

/** Durable appends by `inFlight` slots; each waits for its own. */
async function append({ side, inFlight, milliseconds }) {
  const slots = Array.from({ length: inFlight }, (_, slot) => ({
    sessions: Array.from({ length: SESSIONS }, (__, n) => ({ id: `s${side}-${slot}-${n}`, revision: 0 })),
  }));
  const step = async (session) => {
    session.revision += 1;
    await store.append(session.id, session.revision, payloads[(session.revision * 31) % payloads.length]);
  };
  await Promise.all(
    slots.map(async ({ sessions }) => {
      for (const session of sessions) await step(session);
    }),
  );
  return () =>
    timed(
      milliseconds,
      slots.map(
        ({ sessions }) =>
          (turn) =>
            step(sessions[turn % SESSIONS]),
      ),
    );
}

/** Head and records of sessions at random, `inFlight` at a time. */
async function read({ side, inFlight, milliseconds }) {
  const ids = Array.from({ length: READ_SESSIONS }, (_, n) => `r${side}-${n}`);
  for (let revision = 1; revision <= READ_RECORDS; revision += 1) {
    await Promise.all(ids.map((id, n) => store.append(id, revision, payloads[(n * 31 + revision) % payloads.length])));
  }
  const one = async (turn, slot) => {
    const count = await store.read(ids[(turn * 7919 + slot * 613) % READ_SESSIONS]);
    if (count !== READ_RECORDS) throw new Error(`${count} records were read instead of ${READ_RECORDS}`);
  };
  return () =>
    timed(
      milliseconds,
      Array.from({ length: inFlight }, (_, slot) => (turn) => one(turn, slot)),
    );
}

/** Runs every slot's steps, one after the other, until the time is over. */
async function timed(milliseconds, slots) {
  const latencies = [];
  const begun = performance.now() + WARM_UP_MS;
  const end = begun + milliseconds;
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  let cpu = process.cpuUsage();
  const warm = setTimeout(() => {
    cpu = process.cpuUsage();
    loop.enable();
  }, WARM_UP_MS);
  let spent;
  const walk = async (step) => {
    for (let turn = 0; ; turn += 1) {
      const from = performance.now();
      if (from >= end) break;
      await step(turn);
      const to = performance.now();
      if (from >= begun && to <= end) latencies.push(to - from);
      // What answers at once must not keep timers from running.
      if (turn % 64 === 63) await new Promise(setImmediate);
    }
    spent ??= process.cpuUsage(cpu);
  };
  await Promise.all(slots.map(walk));
  clearTimeout(warm);
  loop.disable();
  return {
    count: latencies.length,
    latencies,
    cpuMicroseconds: spent.user + spent.system,
    loopP99: loop.percentile(99) / 1e6,
    loopMax: loop.max / 1e6,
  };
}

/** From asking until it is granted, while the other side has the lock and does nothing with it. */
async function handOver({ side, milliseconds }) {
  const lock = store.contest('contested', side);
  if (side === 0) await lock.take();
  return async () => {
    const latencies = [];
    if (side === 0) await lock.lost();
    for (const end = performance.now() + milliseconds; performance.now() < end;) {
      await delay(HELD_MS);
      const from = performance.now();
      await lock.take();
      latencies.push(performance.now() - from);
      // Given up after the end too, so that the other side is not left waiting.
      await Promise.race([lock.lost(), delay(Math.max(0, end - performance.now()))]);
    }
    return { count: latencies.length, latencies };
  };
}

/** A number of records, for the room that they take; the files are looked at when it has closed. */
async function fill({ records, inFlight }) {
  return async () => {
    await Promise.all(
      Array.from({ length: inFlight }, async (_, slot) => {
        for (let n = 0; n < records / inFlight; n += 1) {
          const revision = Math.floor(n / SESSIONS) + 1;
          await store.append(`f${slot}-${n % SESSIONS}`, revision, payloads[(n * 31 + slot) % payloads.length]);
        }
      }),
    );
    return { count: Math.ceil(records / inFlight) * inFlight, latencies: [] };
  };
}
