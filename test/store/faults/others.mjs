// The other processes of a storm, as the one that makes it sees them.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** No process is silent for longer, beside one that was stopped. */
const PATIENCE_MS = 60_000;

/** The same numbers in each run. */
export function diceOf(seed) {
  let state = BigInt(seed);
  return (below) => {
    state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return Number((state >> 33n) % BigInt(below));
  };
}

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL'); // a stopped one too
});

export class Other {
  child;
  /** Lines that were not asked for yet. */
  #lines = [];
  #wake = () => undefined;
  #over = false;
  #ended;
  errors = '';

  constructor(role, dir, ...rest) {
    this.child = fork(fileURLToPath(new URL('role.mjs', import.meta.url)), [role, dir, ...rest.map(String)], {
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
    });
    running.add(this.child);
    this.#ended = once(this.child, 'close').then(([code, signal]) => {
      running.delete(this.child);
      this.#over = true;
      this.#wake();
      return { code, signal };
    });
    this.child.stdin.on('error', () => undefined); // it ended before it heard
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.errors += text));
    createInterface(this.child.stdout).on('line', (line) => {
      this.#lines.push(line);
      this.#wake();
    });
  }

  /** What it says next after `word`; undefined: it ended, or is silent. What it said before goes to `ledger`. */
  async hear(word, ledger) {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      while (this.#lines.length > 0) {
        const line = this.#lines.shift();
        ledger?.note(line);
        if (line.startsWith(word)) return line.slice(word.length).trim();
      }
      if (this.#over || performance.now() > until) return undefined;
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#wake = () => (clearTimeout(timer), resolve());
      });
    }
  }

  tell(text) {
    this.child.stdin.write(`${text}\n`);
  }

  signal(name) {
    this.child.kill(name);
  }

  /** Kills it; what it said goes to the ledger. */
  async end(ledger) {
    if (this.child.exitCode !== null || this.child.signalCode !== null) ledger.crash(this);
    this.child.kill('SIGKILL');
    await this.#ended;
    while ((await this.hear('\0', ledger)) !== undefined);
  }

  /** As it ends by itself; undefined: it does not. */
  async ended(ledger, patienceMs = PATIENCE_MS) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, patienceMs)));
    const end = await Promise.race([this.#ended, late]);
    clearTimeout(timer);
    if (end === undefined) {
      ledger.counts.hung += 1;
      await this.end(ledger);
    } else await this.hear('\0', ledger);
    return end;
  }
}

/** What was acknowledged, and how it came out. */
export class Ledger {
  acknowledged = {};
  counts = { acknowledged: 0, lost: 0, doubled: 0, wrong: 0, unseen: 0, hung: 0, crashed: 0 };
  /** What went wrong, in words. */
  notes = [];

  note(line) {
    const [word, name, revision] = line.split(' ');
    if (word === 'acknowledged') this.acknowledged[name] = Math.max(this.acknowledged[name] ?? 0, Number(revision));
  }

  crash({ child, errors }) {
    this.counts.crashed += 1;
    this.say(`ended by itself (${child.exitCode ?? child.signalCode}): ${errors.trim().slice(-400)}`);
  }

  say(text) {
    if (this.notes.length < 5) this.notes.push(text);
  }

  /** By a process that took no part. */
  async examine(dir) {
    const folder = newFolder();
    const file = join(folder, 'acknowledged');
    writeFileSync(file, JSON.stringify(this.acknowledged));
    const examiner = new Other('examine', dir, file);
    const told = await examiner.hear('counted ', undefined);
    await examiner.ended(this);
    rmSync(folder, { recursive: true });
    if (told === undefined) return this.crash(examiner);
    for (const [name, count] of Object.entries(JSON.parse(told))) this.counts[name] = (this.counts[name] ?? 0) + count;
    this.acknowledged = {};
  }
}

export const newFolder = () => mkdtempSync(join(tmpdir(), 'holdfast-faults-'));

/** The storm with a ledger and a folder of its own, as a line of the report. */
export async function storm(name, run) {
  const ledger = new Ledger();
  const folder = newFolder();
  const began = performance.now();
  try {
    const more = await run(ledger, folder);
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    return { storm: name, ...more, ...ledger.counts, ...(ledger.notes.length > 0 && { notes: ledger.notes }), seconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
