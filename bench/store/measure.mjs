import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fdatasyncSync, lstatSync, mkdtempSync, openSync, closeSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WORKER = fileURLToPath(new URL('worker.mjs', import.meta.url));
const NEIGHBOUR = fileURLToPath(new URL('slow-disk.mjs', import.meta.url));
/** Of a process that does not answer, beside the time that it measures for. */
const LONGEST_MS = 120_000;
const SECTOR_BYTES = 512;

/**
 * Runs one load in processes of its own, on a new folder under `parent`; what it took, of all of them together, or all
 * but the busy one.
 */
export async function measure(parent, contender, load) {
  const dir = mkdtempSync(join(parent, `${contender.replace(/\W/g, '-')}-`));
  const children = [];
  const neighbour = load.slow ? await begin(NEIGHBOUR, join(parent, 'neighbour')) : undefined;
  try {
    // One after the other: the first makes the files.
    for (let side = 0; side < load.processes; side += 1) {
      const inFlight = side === 0 ? (load.busyInFlight ?? load.inFlight) : load.inFlight;
      children.push(await begin(WORKER, JSON.stringify({ ...load, inFlight, contender, dir, side })));
    }
    const figures = await Promise.all(children.map(async (child) => (await ask(child, load.milliseconds)).figures));
    for (const child of children) await end(child);
    return summary(load.busyInFlight === undefined ? figures : figures.slice(1), load, bytesIn(dir));
  } finally {
    for (const child of [...children, neighbour]) child?.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function begin(script, argument) {
  const child = fork(script, [argument], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await answer(child, LONGEST_MS);
  return child;
}

function ask(child, milliseconds = 0) {
  const answered = answer(child, LONGEST_MS + milliseconds);
  child.send('go');
  return answered;
}

async function end(child) {
  const gone = once(child, 'exit', { signal: AbortSignal.timeout(LONGEST_MS) });
  child.send('end');
  await gone;
}

/** The next message. */
async function answer(child, milliseconds) {
  const listening = new AbortController();
  const signal = AbortSignal.any([listening.signal, AbortSignal.timeout(milliseconds)]);
  try {
    const gone = once(child, 'exit', { signal }).then(([status]) =>
      Promise.reject(new Error(`a process of the bench ended early, status ${status}`)),
    );
    const [message] = await Promise.race([once(child, 'message', { signal }), gone]);
    return message;
  } finally {
    listening.abort();
  }
}

function summary(figures, { milliseconds }, bytes) {
  const count = sum(figures.map((figure) => figure.count));
  const latencies = figures.flatMap((figure) => figure.latencies).sort((a, b) => a - b);
  return {
    count,
    perSecond: (count * 1000) / milliseconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    slowest: latencies.at(-1),
    cpuMicroseconds: sum(figures.map((figure) => figure.cpuMicroseconds)) / count,
    loopP99: Math.max(...figures.map((figure) => figure.loopP99)),
    loopMax: Math.max(...figures.map((figure) => figure.loopMax)),
    bytesEach: bytes / count,
  };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

/** Blocks that the files take: what is only mapped or sparse costs nothing. */
function bytesIn(dir) {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return sum(files.map((entry) => lstatSync(join(entry.parentPath ?? entry.path, entry.name)).blocks * SECTOR_BYTES));
}

const FLUSHES = 200;

/** What the disk itself takes to write and flush 4 KB, in ms. */
export function flushTimes(parent) {
  const path = join(parent, 'flushes');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(4096, 3);
  const times = Array.from({ length: FLUSHES }, (_, n) => {
    const from = performance.now();
    writeSync(file, block, 0, block.length, n * block.length);
    fdatasyncSync(file);
    return performance.now() - from;
  });
  closeSync(file);
  rmSync(path);
  times.sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
