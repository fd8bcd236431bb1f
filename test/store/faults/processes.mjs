// Storms of processes that are killed, stopped, or end in the middle of commits.
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SqliteStore } from 'holdfast/sqlite';
import { append } from './entries.mjs';
import { Other, diceOf, storm } from './others.mjs';

let names = 0;
const start = (role, dir, ...rest) => new Other(role, dir, `p${(names += 1)}`, ...rest);

/** Two at a time, of which one opens and closes all the time in every other round. */
export const kills = (count) =>
  storm('kills', async (ledger, folder) => {
    const dice = diceOf(99);
    const dir = join(folder, 'store');
    for (let round = 0; round * 2 < count; round += 1) {
      const others = ['append', round % 2 === 0 ? 'reopen' : 'append'].map((role) => start(role, dir));
      for (const other of others) if ((await other.hear('acknowledged', ledger)) === undefined) ledger.crash(other);
      await pause(dice(40));
      await Promise.all(others.map((other) => other.end(ledger)));
    }
    await ledger.examine(dir);
    return { kills: count };
  });

/** Processes that open are stopped and resumed at bad moments, beside one that writes. */
export const race = (seconds) =>
  storm('race', async (ledger, folder) => {
    const dice = diceOf(5);
    const dir = join(folder, 'store');
    const others = ['append', 'reopen', 'reopen'].map((role) => start(role, dir));
    for (const other of others) await other.hear('acknowledged', ledger);
    const end = performance.now() + 1000 * seconds;
    let stops = 0;
    for (; performance.now() < end; stops += 1) {
      const opener = others[1 + dice(2)];
      await pause(dice(15));
      opener.signal('SIGSTOP');
      await pause(dice(15));
      opener.signal('SIGCONT');
    }
    await Promise.all(others.map((other) => other.end(ledger)));
    await ledger.examine(dir);
    return { stops };
  });

const BOUND_MS = 500;
const OPENING_MS = 10_000;
/** What a busy machine may add to a bound. */
const LATE_MS = 2000;

/** One is stopped anywhere: a call of another is answered in its bound, and so is an opening. */
export const stops = (count) =>
  storm('stops', async (ledger, folder) => {
    const dice = diceOf(7);
    const dir = join(folder, 'store');
    const seen = { busyCalls: 0, busyOpenings: 0, slowestCallMs: 0, slowestOpeningMs: 0 };
    const timed = async (run, boundMs, busy, slowest) => {
      const began = performance.now();
      const result = await run().catch((error) => {
        if (error.code !== 'ERR_UNAVAILABLE') throw error;
        seen[busy] += 1;
      });
      const took = Math.round(performance.now() - began);
      seen[slowest] = Math.max(seen[slowest], took);
      if (took > boundMs + LATE_MS) ledger.counts.hung += 1;
      return result;
    };
    const witness = await SqliteStore.open({ dir });
    for (let round = 1; round <= count; round += 1) {
      const other = start('reopen', dir);
      await other.hear('acknowledged', ledger);
      await pause(dice(15_000) / 1000);
      other.signal('SIGSTOP');
      const saving = () => append(witness, `witness${round}`, 1, { timeoutMs: BOUND_MS, tries: 1 });
      await timed(saving, BOUND_MS, 'busyCalls', 'slowestCallMs');
      const opening = () => SqliteStore.open({ dir });
      const opened = await timed(opening, OPENING_MS, 'busyOpenings', 'slowestOpeningMs');
      await other.end(ledger);
      await opened?.close();
      await append(witness, `witness${round}`, 1);
      ledger.note(`acknowledged witness${round} 1`);
    }
    await witness.close();
    await ledger.examine(dir);
    return { stops: count, ...seen };
  });

export const exits = (count) =>
  storm('exits', async (ledger, folder) => {
    const dir = join(folder, 'store');
    for (let round = 0; round < count; round += 1) {
      const other = start('exit', dir);
      const end = await other.ended(ledger, 15_000);
      if (end !== undefined && end.code !== 3) ledger.crash(other);
    }
    await ledger.examine(dir);
    return { exits: count };
  });

/** Of workers, in the middle of commits. */
export const terminations = (count) =>
  storm('terminations', async (ledger, folder) => {
    const dir = join(folder, 'store');
    let done = 0;
    for (let starts = 0; done < count && starts < count; starts += 1) {
      const other = start('terminate', dir, count - done);
      while ((await other.hear('terminated', ledger)) !== undefined) done += 1;
      const end = await other.ended(ledger);
      if (end === undefined || end.code === 0) continue;
      ledger.crash(other);
      done += 1;
    }
    await ledger.examine(dir);
    return { terminations: done };
  });
