import { SteadyTime, systemClock } from '../clock.ts';
import { msgpackCodec } from '../codec/msgpack.ts';
import { loadDiffer } from '../diff/engine.ts';
import { changes } from '../graph.ts';
import { formatPath } from '../path.ts';
import { ORIGIN } from '../position.ts';
import type { LockView } from '../store/lock.ts';
import { openStore } from '../store/open.ts';
import type { Head, Store } from '../store/store.ts';
import { logReader } from '../sync/log-reader.ts';
import { take } from '../sync/pull.ts';
import { Replica } from '../sync/replica.ts';
import { epochOf } from '../token.ts';
import type { InspectOptions } from './options.ts';
import { Progress } from './progress.ts';
import { bytes, plural, whole } from './report.ts';

const PAGE = 500;
const AT_ONCE = 16;
const LISTED = 20;
const RECORDS_SHOWN = 10;
const CHANGES_SHOWN = 4;
const LIMIT_BYTES = 2 ** 30;

/** A session as the list shows it; sizes as stored, times in ms. */
interface Listed {
  readonly id: string;
  readonly revision: number;
  readonly bytes: number;
  readonly ageMs: number;
  /** Null: it does not expire. */
  readonly leftMs: number | null;
}

/** A record, and what the session was after it. */
interface Step {
  readonly revision: number;
  readonly kind: string;
  readonly time: string;
  readonly bytes: number;
  /** Of the whole state. */
  readonly stateBytes: number;
  /** No values: what was done, and where. */
  readonly changes: readonly { readonly op: string; readonly path: string }[];
}

/** Shows the sessions of a store, or one of them; the exit code. Nothing is locked or changed. */
export async function inspect({ address, id, json }: InspectOptions): Promise<number> {
  const store = await openStore(address);
  try {
    if (id === undefined) await showAll(store, address, json);
    else if (!(await showOne(store, id, json))) return 1;
    return 0;
  } finally {
    await store.close();
  }
}

async function showAll(store: Store, address: string, json: boolean): Promise<void> {
  const progress = new Progress(process.stderr, address, undefined, 'sessions');
  const sessions: Listed[] = [];
  try {
    for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
      const page = await store.list({ cursor, limit: PAGE });
      for (let from = 0; from < page.ids.length; from += AT_ONCE) {
        const found = await Promise.all(page.ids.slice(from, from + AT_ONCE).map((id) => listed(store, id)));
        sessions.push(...found.filter((one) => one !== undefined));
        progress.show(sessions.length);
      }
      ({ cursor } = page);
    }
  } finally {
    progress.clear();
  }
  sessions.sort((a, b) => b.bytes - a.bytes);
  const total = sessions.reduce((sum, one) => sum + one.bytes, 0);
  if (json) return console.log(JSON.stringify({ ok: true, sessions, bytes: total }));
  const oldest = sessions.toSorted((a, b) => b.ageMs - a.ageMs).slice(0, LISTED);
  const lines = [`${address}: ${plural(sessions.length, 'session')}, ${bytes(total)}`];
  if (sessions.length > 0)
    lines.push('', 'largest', ...sessions.slice(0, LISTED).map(lineOf), '', 'oldest', ...oldest.map(lineOf));
  console.log(lines.join('\n'));
}

async function listed(store: Store, id: string): Promise<Listed | undefined> {
  const { head } = await store.inspect(id);
  if (head === undefined) return undefined; // it has ended meanwhile
  const { position, snapshotBytes, deltaBytes, createdAt, leftMs } = head;
  return {
    id,
    revision: position.revision,
    bytes: snapshotBytes + deltaBytes,
    ageMs: Math.max(0, Date.now() - createdAt),
    leftMs: Number.isFinite(leftMs) ? leftMs : null,
  };
}

const lineOf = ({ id, revision, bytes: size, ageMs, leftMs }: Listed): string =>
  `  ${bytes(size).padStart(10)}  revision ${whole(revision).padEnd(8)}  ${span(ageMs)} old, ${leftMs === null ? 'does not expire' : `expires in ${span(leftMs)}`}  ${id}`;

function span(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  if (seconds < 7200) return `${whole(seconds / 60)} min`;
  return seconds < 172_800 ? `${whole(seconds / 3600)} h` : `${whole(seconds / 86_400)} days`;
}

/** False: there is no such session. */
async function showOne(store: Store, id: string, json: boolean): Promise<boolean> {
  const { head, lock } = await store.inspect(id);
  if (head === undefined) {
    console.log(json ? JSON.stringify({ ok: false, code: 'ERR_NOT_FOUND', id }) : `there is no '${id}'`);
    return false;
  }
  const { steps, attributes } = await historyOf(store, id, head);
  const { state, position, token, createdAt, leftMs } = head;
  const created = new Date(createdAt).toISOString();
  if (json) {
    const about = { id, state, revision: position.revision, token, epoch: epochOf(token), created };
    const expires = Number.isFinite(leftMs) ? leftMs : null;
    console.log(JSON.stringify({ ok: true, ...about, expiresInMs: expires, lock, attributes, records: steps }));
    return true;
  }
  const expires = Number.isFinite(leftMs) ? `expires in ${span(leftMs)}` : 'does not expire';
  const lines = [
    `'${id}': ${state}, revision ${position.revision}, token ${token} (epoch ${epochOf(token)}); begun ${created}, ${expires}`,
    `lock: ${holderOf(lock)}; ${lock.queue.length === 0 ? 'nobody waits' : `${plural(lock.queue.length, 'member')} waiting: ${lock.queue.map(({ member }) => member).join(', ')}`}`,
    `attributes: ${attributes.map(({ name, bytes: size }) => `${name} ${bytes(size)}`).join(', ') || 'none'}`,
    `records kept: ${steps.length}, of ${plural(position.revision, 'revision')}`,
    ...steps.slice(-RECORDS_SHOWN).map(stepLine),
  ];
  console.log(lines.join('\n'));
  return true;
}

const holderOf = ({ holder }: LockView): string =>
  holder === undefined
    ? 'free'
    : `held by ${holder.member}, lease ${span(holder.leaseLeftMs)}${holder.recalled ? ', recalled' : ''}`;

function stepLine({ revision, kind, time, bytes: size, stateBytes, changes: done }: Step): string {
  const shown = done.slice(0, CHANGES_SHOWN).map(({ op, path }) => `${op} ${path}`);
  if (done.length > shown.length) shown.push(`and ${done.length - shown.length} more`);
  return `  ${revision}  ${kind.padEnd(8)}  ${time}  ${bytes(size).padStart(10)} of ${bytes(stateBytes)}  ${shown.join(', ')}`;
}

interface History {
  readonly steps: readonly Step[];
  /** The largest first. */
  readonly attributes: readonly { readonly name: string; readonly bytes: number }[];
}

/** Each record that is kept, checked as readers do, and what it has changed. */
async function historyOf(store: Store, id: string, head: Head): Promise<History> {
  if (head.state !== 'live') return { steps: [], attributes: [] };
  const line = {
    differ: loadDiffer(),
    limitBytes: LIMIT_BYTES,
    clock: systemClock,
    time: new SteadyTime(systemClock, () => undefined),
  };
  const tail = await store.read(id, { since: ORIGIN, kept: true });
  const replica = new Replica(id);
  const progress = new Progress(process.stderr, `'${id}'`, tail.records.length, 'records');
  const steps: Step[] = [];
  let before = new Map<string, Buffer>();
  try {
    for (const { position, kind, bytes: record } of logReader(line).whole(id, tail)) {
      take(line, replica, { head: { ...head, position }, records: [record], whole: steps.length === 0 });
      const after = valuesOf(replica);
      const changed = changedBetween(before, after);
      before = after;
      const time = new Date(replica.head.time).toISOString();
      const { revision } = position;
      const stateBytes = replica.image.byteLength;
      steps.push({ revision, kind, time, bytes: record.length, stateBytes, changes: changed });
      progress.show(steps.length);
    }
  } finally {
    progress.clear();
  }
  const attributes = [...before].map(([name, value]) => ({ name, bytes: value.length }));
  return { steps, attributes: attributes.toSorted((a, b) => b.bytes - a.bytes) };
}

const valuesOf = ({ image }: Replica): Map<string, Buffer> =>
  new Map(image.directory.names.map((name) => [name, Buffer.from(image.value(name)?.bytes ?? [])]));

function changedBetween(before: ReadonlyMap<string, Buffer>, after: ReadonlyMap<string, Buffer>): Step['changes'] {
  const found: { op: string; path: string }[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === undefined || is === undefined)
      found.push({ op: is === undefined ? 'delete' : 'set', path: formatPath([name]) });
    else if (!was.equals(is)) found.push(...changedInside(name, was, is));
  }
  return found;
}

/** What is of a class that is not known here is told as a whole. */
function changedInside(name: string, was: Buffer, is: Buffer): { op: string; path: string }[] {
  try {
    const parts = changes(msgpackCodec.decode(was, name), msgpackCodec.decode(is, name));
    return parts.map(({ op, path }) => ({ op, path: formatPath([name, ...path]) }));
  } catch {
    return [{ op: 'set', path: formatPath([name]) }];
  }
}
