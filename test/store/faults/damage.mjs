// Storms that damage, cut, take away and put back files, and fill the disk.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Ledger, Other, diceOf, storm } from './others.mjs';

const JUDGING_MS = 60_000;

const copy = (from, to) => {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
};

async function make(dir, ...rest) {
  const other = new Other('base', dir, ...rest);
  await other.ended(new Ledger());
}

function flip(path, at, dice) {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0] ^= 1 << dice(8);
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

/** Tells of one folder after the other; one that ends or hangs over it is replaced. */
class Judge {
  #other;
  #ledger;

  constructor(ledger) {
    this.#ledger = ledger;
  }

  async verdict(dir) {
    this.#other ??= new Other('judge', dir);
    const { child } = this.#other;
    const verdict = await new Promise((resolve) => {
      const timer = setTimeout(resolve, JUDGING_MS, 'hung');
      const onClose = () => settle('crashed');
      const settle = (word) => {
        clearTimeout(timer);
        child.off('close', onClose);
        resolve(word);
      };
      child.once('message', settle);
      child.once('close', onClose);
      child.send(dir);
    });
    child.removeAllListeners('message');
    if (verdict === 'crashed' || verdict === 'hung') {
      if (verdict === 'hung') this.#ledger.counts.hung += 1;
      await this.end();
    }
    return verdict;
  }

  async end() {
    await this.#other?.end(this.#ledger);
    this.#other = undefined;
  }
}

/** Each time one place of one file, all as likely by their lengths: after a close, and after a kill. */
const damage = (name, count, harm) =>
  storm(name, async (ledger, folder) => {
    const dice = diceOf(4711);
    const judge = new Judge(ledger);
    const verdicts = {};
    for (const rest of [[], ['die']]) {
      const dir = join(folder, `base${rest}`);
      await make(dir, ...rest);
      const files = readdirSync(dir)
        .toSorted()
        .filter((file) => !/^(?:open|thread)-/.test(file))
        .map((file) => ({ file, length: statSync(join(dir, file)).size }));
      const total = files.reduce((sum, { length }) => sum + length, 0);
      for (let round = 0; round * 2 < count; round += 1) {
        const work = join(folder, 'work');
        copy(dir, work);
        let at = dice(total);
        const { file } = files.find(({ length }) => at < length || ((at -= length), false));
        harm(join(work, file), at, dice);
        const verdict = await judge.verdict(work);
        verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
        if (!['right', 'said', 'found by a look through all of it'].includes(verdict))
          ledger.say(`${file}: ${verdict}`);
      }
    }
    await judge.end();
    ledger.counts.unseen += verdicts['missing'] ?? 0;
    ledger.counts.wrong += verdicts['wrong'] ?? 0;
    return { [name]: count, verdicts };
  });

export const cuts = (count) => damage('cuts', count, (path, at) => truncateSync(path, at));
export const flips = (count) => damage('flips', count, flip);

/** While a process has it open. `stays`: what was acknowledged is to be there, or its lack said, afterwards. */
const HARMS = [
  ['deleted', (dir) => rmSync(dir, { recursive: true }), { stays: false }],
  ['moved', (dir) => renameSync(dir, `${dir}.moved`), { stays: false }],
  ['replaced', (dir) => (renameSync(dir, `${dir}.moved`), copy(`${dir}.moved`, dir)), { stays: true }],
  ['older copy', (dir, older) => copyOver(join(older, 'store.sqlite'), join(dir, 'store.sqlite')), { stays: true }],
  ['older copy of all but the mark', (dir, older) => olderFiles(dir, older), { stays: true }],
  ['log deleted', (dir) => rmSync(join(dir, 'store.sqlite-wal')), { stays: true }],
  [
    'log and its index deleted',
    (dir) => ['wal', 'shm'].map((end) => rmSync(join(dir, `store.sqlite-${end}`))),
    { stays: true },
  ],
  ['mark deleted', (dir) => rmSync(join(dir, 'mark')), { stays: true }],
];

const copyOver = (from, to) => {
  rmSync(to);
  cpSync(from, to);
};

function olderFiles(dir, older) {
  for (const end of ['', '-wal', '-shm']) rmSync(join(dir, `store.sqlite${end}`), { force: true });
  cpSync(join(older, 'store.sqlite'), join(dir, 'store.sqlite'));
}

/** Of a folder whose files went: nothing is acknowledged that is not there, and what is not there is said. */
export const harms = (count) =>
  storm('harms', async (ledger, folder) => {
    const said = {};
    for (let round = 0; round < count; round += 1) {
      for (const [what, harm, { stays }] of HARMS) {
        const dir = join(folder, `${round}.${what.replaceAll(' ', '-')}`);
        await make(dir);
        copy(dir, `${dir}.older`);
        const other = new Other('hold', dir, 'held');
        if ((await other.hear('ready', ledger)) === undefined) ledger.crash(other);
        harm(dir, `${dir}.older`);
        const before = ledger.acknowledged['held'];
        other.tell('go');
        const told = await other.hear('said', ledger);
        const end = await other.ended(ledger);
        if (end !== undefined && end.code !== 0) ledger.crash(other);
        if (told === undefined || ledger.acknowledged['held'] !== before) ledger.say(`${what}: went on`);
        if (ledger.acknowledged['held'] !== before) ledger.counts.unseen += 1;
        const after = stays ? await lookAfter(dir, ledger) : 'gone';
        const key = `${what}: ${(told ?? 'nothing').split(' ').slice(0, 2).join(' ')}, then ${after}`;
        said[key] = (said[key] ?? 0) + 1;
        ledger.acknowledged = {};
      }
    }
    return { harms: count * HARMS.length, said };
  });

/** `there`, or what is said. */
async function lookAfter(dir, ledger) {
  const looked = new Ledger();
  looked.acknowledged = ledger.acknowledged;
  await looked.examine(dir);
  const code = /ERR_\w+/.exec(looked.notes.join(' '))?.[0];
  if (looked.counts.crashed > 0 && code !== undefined) return code;
  for (const count of ['lost', 'doubled', 'wrong', 'hung', 'crashed']) ledger.counts[count] += looked.counts[count];
  ledger.counts.acknowledged += looked.counts.acknowledged;
  return looked.counts.lost > 0 ? 'lost' : 'there';
}

/** Of 3 MB; undefined: none can be mounted, which needs root. */
export const fullDisks = (count) =>
  storm('full disks', async (ledger, folder) => {
    const dice = diceOf(12);
    for (let round = 0; round < count; round += 1) {
      const disk = join(folder, `disk${round}`);
      mkdirSync(disk);
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', disk]).status !== 0)
        return { skipped: 'no small disk can be mounted here: that needs root' };
      try {
        await fill(disk, ledger, 300_000 + dice(600_000), round % 2 === 1);
      } finally {
        spawnSync('umount', ['-l', disk]);
      }
    }
    return { fullDisks: count };
  });

async function fill(disk, ledger, bytes, dies) {
  const [ballast, dir] = [join(disk, 'ballast'), join(disk, 'store')];
  writeFileSync(ballast, Buffer.alloc(bytes, 1));
  const other = new Other('fill', dir, 'f');
  const told = await other.hear('full', ledger);
  if (told === undefined) ledger.crash(other);
  else if (!/^ERR_UNAVAILABLE none .*(?:the disk is full)/.test(told)) {
    ledger.counts.wrong += 1;
    ledger.say(told);
  }
  if (dies) await other.end(ledger);
  rmSync(ballast);
  if (!dies) {
    other.tell('room');
    const end = await other.ended(ledger);
    if (end !== undefined && end.code !== 0) ledger.crash(other);
  }
  if (existsSync(dir)) await ledger.examine(dir);
}
