import { statSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteStore } from '../store/sqlite.ts';
import type { CopyOptions, StoreOptions } from './options.ts';
import { Progress } from './progress.ts';
import { bytes, plural } from './report.ts';

/** Looks through a store; the exit code. */
export async function check({ dir, json }: StoreOptions): Promise<number> {
  const store = await SqliteStore.open({ dir, sweepEveryMs: Infinity });
  const progress = new Progress(process.stderr, dir, undefined, 'sessions');
  try {
    const found = await store.check((done) => progress.show(done));
    progress.clear();
    const ok = found.faults.length === 0;
    const what = `${plural(found.sessions, 'session')}, ${plural(found.records, 'record')}, ${bytes(found.bytes)}`;
    if (json) console.log(JSON.stringify({ ok, ...found }));
    else
      console.log(
        ok
          ? `ok  ${dir}: ${what}`
          : [
              `FAILED  ${dir}: ${what}; ${plural(found.faults.length, 'fault')}`,
              ...found.faults.map((fault) => `    ${fault}`),
            ].join('\n'),
      );
    return ok ? 0 : 1;
  } finally {
    progress.clear();
    await store.close();
  }
}

export async function compact({ dir, json }: StoreOptions): Promise<number> {
  const store = await SqliteStore.open({ dir, sweepEveryMs: Infinity });
  try {
    const before = sizeOf(dir);
    await store.compact();
    const after = sizeOf(dir);
    console.log(
      json ? JSON.stringify({ ok: true, before, after }) : `ok  ${dir}: ${bytes(after)}, was ${bytes(before)}`,
    );
    return 0;
  } finally {
    await store.close();
  }
}

/** The bar shows how much of the database, unused room included, has come over. */
export async function copy({ dir, to, json }: CopyOptions): Promise<number> {
  const store = await SqliteStore.open({ dir, sweepEveryMs: Infinity });
  const progress = new Progress(process.stderr, to, sizeOf(dir), 'bytes');
  const look = setInterval(() => progress.show(lengthOf(join(to, 'store.sqlite.part'))), LOOK_MS);
  try {
    await store.copy(to);
    const size = sizeOf(to);
    console.log(json ? JSON.stringify({ ok: true, bytes: size }) : `ok  ${to}: ${bytes(size)}`);
    return 0;
  } finally {
    clearInterval(look);
    progress.clear();
    await store.close();
  }
}

const LOOK_MS = 100;
const lengthOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Of database and log. */
function sizeOf(dir: string): number {
  return ['store.sqlite', 'store.sqlite-wal'].reduce((sum, name) => sum + lengthOf(join(dir, name)), 0);
}
