// Several processes work on the sessions of one store; now and then one is killed or stopped for longer than its lease;
// then a process that took no part judges their histories. Prints a line of JSON; exits 1 on findings. usage: node
// test/history/processes.mjs [--steps N] [--seed N] [--processes N] [--kill-every N] [--stop-every N]
//   [--store URL]    an address of openStore (a MemoryStore in a process of its own, which the others reach by a
// socket)
//   [--serve-local]  uses go on where the store does not answer; those are counted as `here`
//   [--openers N]    further processes that open and close the store all the time (none)
//   [--plant NAME] [--every N]    a fault in every process's store, which shows in one call of N; one that cannot show
// here is refused
//   [--history DIR]  keeps the histories in a new folder there
//   [--traces DIR]   recorded traces (../shared/traces, beside this repository; where they are missing, seeded states)
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LEASE_MS, drawsOf } from './sessions.mjs';

const number = (value) => ({ type: 'string', default: String(value) });
const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    steps: number(20_000),
    seed: number(1),
    processes: number(4),
    openers: number(0),
    'kill-every': number(500),
    'stop-every': number(700),
    every: number(200),
    plant: text,
    'serve-local': { type: 'boolean', default: false },
    store: text,
    history: text,
    traces: { ...text, default: fileURLToPath(new URL('../../../shared/traces', import.meta.url)) },
  },
});
const [steps, seed, processes, openers, killEvery, stopEvery, every] = [
  'steps',
  'seed',
  'processes',
  'openers',
  'kill-every',
  'stop-every',
  'every',
].map((name) => Number(values[name]));

/**
 * Sessions that only grow, under locks that their repositories watch over, never meet the others: a clean verdict would
 * say nothing.
 */
const SHOWN = [
  'drops an append',
  'answers before it writes',
  'applies twice',
  'fails although it wrote',
  'refuses although it wrote',
  'skips a record',
  'grants twice',
];
if (values.plant !== undefined && !SHOWN.includes(values.plant))
  fail(
    `'${values.plant}' cannot show here, where there are ${SHOWN.join(', ')}: node scripts/simulate.mjs --plant '${values.plant}'`,
  );

const STOP_TIMEOUT_MS = 20_000;
const LIMIT_MS = 60_000 + 50 * steps;
const begun = performance.now();

const scratch = mkdtempSync(join(tmpdir(), 'holdfast-processes-'));
if (values.history !== undefined) mkdirSync(values.history, { recursive: true });
const folder =
  values.history === undefined ? join(scratch, 'history') : mkdtempSync(join(values.history, 'processes-'));
mkdirSync(folder, { recursive: true });
const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL'); // a stopped one too
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
setTimeout(() => fail(`the run did not end within ${LIMIT_MS / 1000} s`), LIMIT_MS).unref();

function fail(message) {
  console.error(message);
  process.exit(2);
}

function start(module, argument) {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), [argument], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function startServer() {
  const path = join(scratch, 'socket');
  await once(start('memory-server.mjs', path), 'message');
  return `socket:${path}`;
}

/**
 * What the child has to tell before it ends. Its `exit` may be heard of before its last message, its `disconnect`
 * never.
 */
function lastWord(child, name) {
  return new Promise((resolve) => {
    let told = false;
    child.once('message', (word) => {
      told = true;
      resolve(word);
    });
    child.once('disconnect', () => told || fail(`${name} ended without a word`));
  });
}

/** Resolves to how often it opened the store, and how often it could not. */
function stopOpener(opener) {
  if (!opener.connected) fail('an opener ended by itself');
  opener.send('stop');
  return lastWord(opener, 'an opener');
}

/** A worker, under another name each time that it is started. */
class Worker {
  #name;
  #url;
  #onUse;
  #starts = 0;
  #child;
  #ended;
  #killed = false;

  constructor(name, url, onUse) {
    this.#name = name;
    this.#url = url;
    this.#onUse = onUse;
    this.start();
  }

  start() {
    this.#starts += 1;
    this.#killed = false;
    const who = `${this.#name}.${this.#starts}`;
    const setup = {
      url: this.#url,
      folder,
      traces: values.traces,
      who,
      seed: seed * 1_000_003 + this.#name * 1009 + this.#starts,
      plant: values.plant,
      every,
      local: values['serve-local'],
    };
    const child = start('worker.mjs', JSON.stringify(setup));
    this.#child = child;
    child.on('message', this.#onUse);
    this.#ended = once(child, 'exit');
    child.once('exit', (code) => {
      if (!this.#killed && code !== 0) fail(`process ${who} ended by itself (exit code ${code})`);
    });
  }

  async kill() {
    if (this.#killed) return;
    this.#killed = true;
    this.#child.kill('SIGKILL');
    await this.#ended;
    this.start();
  }

  pause(ms) {
    const child = this.#child;
    child.kill('SIGSTOP');
    setTimeout(() => child.kill('SIGCONT'), ms);
  }

  async stop() {
    const late = setTimeout(() => fail(`process ${this.#name} did not stop`), STOP_TIMEOUT_MS);
    this.#child.send('stop');
    await this.#ended;
    clearTimeout(late);
  }
}

/** The workers; as uses are told of, the seed says which is killed or stopped. */
class Crew {
  used = 0;
  killed = 0;
  stopped = 0;
  here = 0;
  #draw = drawsOf(seed);
  #workers;
  #killing = new Set();
  #enough;

  /** Resolves when there were enough uses and every worker has ended. */
  async work(url) {
    const enough = new Promise((resolve) => (this.#enough = resolve));
    this.#workers = Array.from(
      { length: processes },
      (_, index) => new Worker(index + 1, url, (message) => this.#onUse(message)),
    );
    await enough;
    await Promise.all(this.#killing);
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  #onUse(message) {
    if (message === 'here') return void (this.here += 1);
    this.used += 1;
    if (this.used >= steps) return this.#enough();
    if (this.used % killEvery === 0) this.#kill(this.#any());
    if (this.used % stopEvery === 0) {
      this.stopped += 1;
      this.#any().pause(LEASE_MS * (1.2 + this.#draw(100) / 100));
    }
  }

  #any() {
    return this.#workers[this.#draw(processes)];
  }

  #kill(worker) {
    this.killed += 1;
    const killing = worker.kill();
    this.#killing.add(killing);
    void killing.then(() => this.#killing.delete(killing));
  }
}

const url = values.store ?? (await startServer());
const crew = new Crew();
const opening = Array.from({ length: openers }, () => start('opener.mjs', JSON.stringify({ url })));
await crew.work(url);
const opened = await Promise.all(opening.map(stopOpener));
const judging = start('judge.mjs', JSON.stringify({ url, folder, traces: values.traces }));
const report = await lastWord(judging, 'the judge');
const seconds = Math.round((performance.now() - begun) / 100) / 10;
const { used, killed, stopped, here } = crew;
console.log(
  JSON.stringify({
    steps: used,
    seed,
    killed,
    stopped,
    ...(values['serve-local'] && { here }),
    seconds,
    ...report,
    ...(openers > 0 && { opened }),
    ...(values.history && { history: folder }),
  }),
);
process.exit(Object.keys(report.found).length > 0 || report.wrong.length > 0 ? 1 : 0);
