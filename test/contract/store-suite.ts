import { afterEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import type { Position } from '../../ts/position.ts';
import type { Append, Hint, LockReply, Store } from '../../ts/store/store.ts';

/** How a store is set up for the suite. Two connections see the same sessions, as two processes would. */
export interface StoreUnderTest {
  open(): Promise<{ readonly one: Store; readonly two: Store; readonly cleanUp: () => Promise<void> }>;
}

const at = (revision: number, nonce = revision * 1000 + 7): Position => ({ revision, nonce });
const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Record `revision` as a writer under `token` would append it. */
function record(revision: number, token: number, more: Partial<Append> = {}): Append {
  const parent = revision === 1 ? ORIGIN : at(revision - 1);
  return { parent, position: at(revision), kind: revision === 1 ? 'snapshot' : 'delta', bytes: bytes(`r${revision}`), token, ...more };
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: HoldfastError) => error.code,
  );
const texts = (records: readonly Uint8Array[]): string[] => records.map((record) => Buffer.from(record).toString());
const LEASE_MS = 400;

/** Waits for a condition that another member brings about; fails after two seconds. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 2000; !(await condition()); ) {
    if (Date.now() > end) throw new Error('waited two seconds in vain');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Every store must pass this suite. */
export function storeSuite(name: string, { open }: StoreUnderTest): void {
  describe(`${name} keeps the store contract`, () => {
    const opened: Awaited<ReturnType<typeof open>>[] = [];
    const start = async (): Promise<{ one: Store; two: Store }> => {
      opened.push(await open());
      return opened.at(-1) as { one: Store; two: Store };
    };
    afterEach(async () => {
      for (const { cleanUp } of opened.splice(0)) await cleanUp();
    });
    const parts = { start };
    logTests(parts);
    replaceTests(parts);
    expiryTests(parts);
    lockTests(parts);
    queueTests(parts);
  });
}

interface Parts {
  readonly start: () => Promise<{ one: Store; two: Store }>;
}

function logTests({ start }: Parts): void {
  it('reads nothing where nothing was written', async () => {
    const { one } = await start();
    expect(await one.read('s', ORIGIN)).toEqual({ head: undefined, records: [], whole: true });
  });

  it('gives a reader what it lacks, and no more', async () => {
    const { one, two } = await start();
    for (const revision of [1, 2, 3]) await one.append('s', record(revision, 0));
    const whole = await two.read('s', ORIGIN);
    expect([whole.whole, texts(whole.records), whole.head?.position]).toEqual([true, ['r1', 'r2', 'r3'], at(3)]);
    const rest = await two.read('s', at(1));
    expect([rest.whole, texts(rest.records)]).toEqual([false, ['r2', 'r3']]);
    const none = await two.read('s', at(3));
    expect([none.whole, texts(none.records)]).toEqual([false, []]);
    expect(whole.head).toMatchObject({ snapshotBytes: 2, deltaBytes: 4, destroyed: false, ttlLeftMs: undefined });
  });

  it('gives the whole log to a reader on another branch, or ahead', async () => {
    const { one, two } = await start();
    for (const revision of [1, 2]) await one.append('s', record(revision, 0));
    for (const since of [{ revision: 2, nonce: 1 }, at(3), { revision: 1, nonce: 5 }]) {
      const tail = await two.read('s', since);
      expect([tail.whole, texts(tail.records)]).toEqual([true, ['r1', 'r2']]);
    }
  });

  it('appends only at the head', async () => {
    const { one, two } = await start();
    await one.append('s', record(1, 0));
    await one.append('s', record(2, 0));
    expect(await codeOf(two.append('s', record(2, 0, { position: { revision: 2, nonce: 99 } })))).toBe('ERR_CONFLICT');
    expect(await codeOf(two.append('s', record(3, 0, { parent: { revision: 2, nonce: 99 } })))).toBe('ERR_CONFLICT');
    expect(await codeOf(two.append('s', record(1, 0)))).toBe('ERR_CONFLICT');
    expect(await codeOf(two.append('t', record(2, 0)))).toBe('ERR_CONFLICT');
    expect(await codeOf(two.append('t', record(1, 0, { kind: 'delta' })))).toBe('ERR_INVALID');
    expect(await codeOf(two.append('s', record(3, 0, { position: at(4) })))).toBe('ERR_INVALID');
    expect(texts((await one.read('s', ORIGIN)).records)).toEqual(['r1', 'r2']);
    expect((await one.read('t', ORIGIN)).head).toBeUndefined();
  });

  it('lets exactly one of two rivals append', async () => {
    const { one, two } = await start();
    await one.append('s', record(1, 0));
    for (let revision = 2; revision < 40; revision += 1) {
      const head = (await one.read('s', ORIGIN)).head?.position as Position;
      const rival = (store: Store, nonce: number): Promise<string> => codeOf(store.append('s', { ...record(revision, 0), parent: head, position: { revision, nonce } }));
      expect((await Promise.all([rival(one, 1), rival(two, 2)])).toSorted()).toEqual(['ERR_CONFLICT', 'no error']);
    }
    expect((await two.read('s', ORIGIN)).records.length).toBe(39);
  });

  it('forgets what a snapshot replaces', async () => {
    const { one, two } = await start();
    for (const revision of [1, 2]) await one.append('s', record(revision, 0));
    await one.append('s', record(3, 0, { kind: 'snapshot', bytes: bytes('SNAP') }));
    await one.append('s', record(4, 0));
    expect(await two.read('s', at(1))).toMatchObject({ whole: true });
    expect(texts((await two.read('s', ORIGIN)).records)).toEqual(['SNAP', 'r4']);
    expect(texts((await two.read('s', at(3))).records)).toEqual(['r4']);
    expect((await two.read('s', ORIGIN)).head).toMatchObject({ snapshotBytes: 4, deltaBytes: 2 });
  });

  it('keeps sessions apart, whatever their ids', async () => {
    const { one, two } = await start();
    const ids = ['a', 'a/b', 'ab', 'a b', 'ä', '😀', 'x'.repeat(255), '1', '01', 'true', '__proto__'];
    for (const id of ids) await one.append(id, record(1, 0, { bytes: bytes(`of ${id}`) }));
    for (const id of ids) expect(texts((await two.read(id, ORIGIN)).records)).toEqual([`of ${id}`]);
    expect(await two.list('', 100)).toEqual(ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    for (const id of ['', 'x'.repeat(256), 'ä'.repeat(128), 'a\0b']) expect(await codeOf(one.read(id, ORIGIN))).toBe('ERR_INVALID');
  });

  it('lists page by page', async () => {
    const { one } = await start();
    for (let i = 0; i < 25; i += 1) await one.append(`s${String(i).padStart(2, '0')}`, record(1, 0));
    const seen: string[] = [];
    for (let page = await one.list('', 10); page.length > 0; page = await one.list(page.at(-1) as string, 10)) seen.push(...page);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => `s${String(i).padStart(2, '0')}`));
  });

  it('keeps its own copy of the bytes, large ones too', async () => {
    const { one, two } = await start();
    const large = Buffer.alloc(3_000_000, 7);
    await one.append('s', record(1, 0, { bytes: large }));
    large.fill(9);
    const [first] = (await two.read('s', ORIGIN)).records;
    expect(Buffer.compare(first as Uint8Array, Buffer.alloc(3_000_000, 7))).toBe(0);
  });

  it('ends a session with a tombstone that nobody appends to', async () => {
    const { one, two } = await start();
    await one.append('s', record(1, 0));
    await one.append('s', record(2, 0, { kind: 'tombstone', ttlMs: 60_000 }));
    expect(await codeOf(two.append('s', record(2, 0)))).toBe('ERR_FENCED');
    expect(await codeOf(two.append('s', record(3, 9)))).toBe('ERR_CLOSED');
    const tail = await two.read('s', at(1));
    expect([tail.head?.destroyed, texts(tail.records)]).toEqual([true, ['r2']]);
    expect(await two.list('', 10)).toEqual([]);
  });

  it('refuses calls once it is closed', async () => {
    const { one } = await start();
    await one.close();
    await one.close();
    expect(await codeOf(one.read('s', ORIGIN))).toBe('ERR_CLOSED');
    expect(await codeOf(one.append('s', record(1, 0)))).toBe('ERR_CLOSED');
  });
}

function replaceTests({ start }: Parts): void {
  it('replaces whatever is there, for backups', async () => {
    const { one, two } = await start();
    for (const revision of [1, 2, 3]) await one.append('s', record(revision, 5));
    await two.replace('s', { position: at(2, 42), kind: 'snapshot', bytes: bytes('NEW'), token: 3 }, at(3));
    expect((await one.read('s', ORIGIN)).head?.position).toEqual(at(2, 42));
    expect(texts((await one.read('s', ORIGIN)).records)).toEqual(['NEW']);
    await one.append('s', record(3, 9, { parent: at(2, 42) }));
    expect(await codeOf(two.replace('s', { position: at(9), kind: 'snapshot', bytes: bytes('late'), token: 9 }, at(2, 42)))).toBe('ERR_CONFLICT');
    await two.replace('t', { position: at(8), kind: 'snapshot', bytes: bytes('T'), token: 3 }, undefined);
    expect(texts((await one.read('t', ORIGIN)).records)).toEqual(['T']);
    expect(await codeOf(two.replace('t', { position: at(9), kind: 'delta', bytes: bytes('d'), token: 3 }, undefined))).toBe('ERR_INVALID');
  });

  it('takes over the token of records that are fed to it', async () => {
    const { one } = await start();
    await one.append('s', record(1, 7));
    expect((await one.read('s', ORIGIN)).head?.token).toBe(7);
    expect(await codeOf(one.append('s', record(2, 6)))).toBe('ERR_FENCED');
    await one.append('s', record(2, 8));
  });
}

function expiryTests({ start }: Parts): void {
  it('forgets a session when it expires, and starts anew', async () => {
    const { one, two } = await start();
    await one.append('s', record(1, 0, { ttlMs: 400 }));
    await one.append('kept', record(1, 0));
    expect((await two.read('s', ORIGIN)).head?.ttlLeftMs).toBeGreaterThan(0);
    await until(async () => (await two.read('s', ORIGIN)).head === undefined);
    expect(await codeOf(two.append('s', record(2, 0)))).toBe('ERR_CONFLICT');
    expect(await two.list('', 10)).toEqual(['kept']);
    await two.append('s', record(1, 0, { bytes: bytes('again') }));
    expect(texts((await one.read('s', ORIGIN)).records)).toEqual(['again']);
    expect((await one.read('s', ORIGIN)).head?.ttlLeftMs).toBeUndefined();
  });

  it('counts the expiry anew when told to', async () => {
    const { one, two } = await start();
    await one.append('s', record(1, 0, { ttlMs: 5000 }));
    await one.append('s', record(2, 0, { ttlMs: 60_000 }));
    expect((await two.read('s', ORIGIN)).head?.ttlLeftMs).toBeGreaterThan(1000);
    await two.expire('s', undefined);
    expect((await one.read('s', ORIGIN)).head?.ttlLeftMs).toBeUndefined();
    await two.expire('s', 20);
    await two.expire('none', 20);
    await until(async () => (await one.read('s', ORIGIN)).head === undefined);
  });
}

function lockTests({ start }: Parts): void {
  const ask = (store: Store, member: string, wait = true): Promise<LockReply> => store.lock('s', { member, leaseMs: LEASE_MS, wait, since: ORIGIN });

  it('grants, brings what the caller lacks, and raises the token each time', async () => {
    const { one, two } = await start();
    await one.append('s', record(1, 0));
    const a = await one.join(() => undefined);
    const b = await two.join(() => undefined);
    const first = await ask(one, a.member);
    if (!first.granted) throw new Error('not granted');
    expect([texts(first.tail.records), first.tail.whole, first.wanted]).toEqual([['r1'], true, false]);
    expect((await ask(two, b.member, false)).granted).toBe(false);
    await one.append('s', record(2, first.token, { release: true }));
    const second = await two.lock('s', { member: b.member, leaseMs: LEASE_MS, wait: true, since: at(1) });
    if (!second.granted) throw new Error('not granted');
    expect(second.token).toBeGreaterThan(first.token);
    expect([texts(second.tail.records), second.tail.whole]).toEqual([['r2'], false]);
    expect(await codeOf(one.append('s', record(3, first.token)))).toBe('ERR_FENCED');
    expect(await codeOf(one.renew('s', first.token))).toBe('ERR_FENCED');
    await one.unlock('s', first.token); // outdated: ignored
    await two.append('s', record(3, second.token));
  });

  it('locks sessions that do not exist yet', async () => {
    const { one, two } = await start();
    const a = await one.join(() => undefined);
    const b = await two.join(() => undefined);
    const first = await ask(one, a.member);
    if (!first.granted) throw new Error('not granted');
    expect(first.tail.head).toBeUndefined();
    expect((await ask(two, b.member, false)).granted).toBe(false);
    expect(await codeOf(two.append('s', record(1, 0)))).toBe('ERR_FENCED');
    await one.append('s', record(1, first.token));
  });

  it('replaces a holder that shows no life, and fences it off', async () => {
    const { one, two } = await start();
    const a = await one.join(() => undefined);
    const b = await two.join(() => undefined);
    const first = await ask(one, a.member);
    if (!first.granted) throw new Error('not granted');
    await one.append('s', record(1, first.token));
    const startedAt = Date.now();
    let reply = await ask(two, b.member);
    while (!reply.granted) {
      const { retryMs } = reply;
      expect(retryMs).toBeLessThanOrEqual(LEASE_MS + 250);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      reply = await ask(two, b.member);
    }
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(LEASE_MS - 50);
    expect(await codeOf(one.append('s', record(2, first.token)))).toBe('ERR_FENCED');
    expect(texts(reply.tail.records)).toEqual(['r1']);
  });

  it('keeps a holder that renews or saves', async () => {
    const { one, two } = await start();
    const a = await one.join(() => undefined);
    const b = await two.join(() => undefined);
    const first = await ask(one, a.member);
    if (!first.granted) throw new Error('not granted');
    for (let revision = 1; revision <= 8; revision += 1) {
      await new Promise((resolve) => setTimeout(resolve, LEASE_MS / 4));
      if (revision % 2 === 0) await one.renew('s', first.token);
      else await one.append('s', record((revision + 1) / 2, first.token));
      expect((await ask(two, b.member)).granted).toBe(false);
    }
  });
}

function queueTests({ start }: Parts): void {
  it('recalls the holder, and wakes those that wait in order', async () => {
    const { one, two } = await start();
    const hints: [string, Hint][] = [];
    const member = async (store: Store, label: string): Promise<string> => (await store.join((hint) => hints.push([label, hint]))).member;
    const a = await member(one, 'a');
    const b = await member(two, 'b');
    const c = await member(one, 'c');
    const ask = (store: Store, name: string): Promise<LockReply> => store.lock('s', { member: name, leaseMs: 5000, wait: true, since: ORIGIN });
    const first = await ask(one, a);
    if (!first.granted) throw new Error('not granted');
    expect((await ask(two, b)).granted).toBe(false);
    expect((await ask(one, c)).granted).toBe(false);
    expect((await ask(two, b)).granted).toBe(false); // keeps its place
    await until(() => hints.some(([label, hint]) => label === 'a' && hint.kind === 'recall' && hint.token === first.token && hint.id === 's'));
    await one.unlock('s', first.token);
    await until(() => hints.some(([label, hint]) => label === 'b' && hint.kind === 'grant'));
    expect(hints.some(([label]) => label === 'c')).toBe(false);
    const second = await ask(two, b);
    if (!second.granted) throw new Error('not granted');
    expect(second.wanted).toBe(true);
    await two.append('s', record(1, second.token, { release: true }));
    await until(() => hints.some(([label, hint]) => label === 'c' && hint.kind === 'grant'));
    const third = await ask(one, c);
    expect(third.granted && third.token > second.token).toBe(true);
  });

  it('lets a waiter leave, and passes over one that has gone silent', async () => {
    const { one, two } = await start();
    const a = (await one.join(() => undefined)).member;
    const [b, c, d] = await Promise.all([1, 2, 3].map(async () => (await two.join(() => undefined)).member));
    const ask = (name: string | undefined): Promise<LockReply> => two.lock('s', { member: name as string, leaseMs: LEASE_MS, wait: true, since: ORIGIN });
    const first = await one.lock('s', { member: a, leaseMs: 5000, wait: true, since: ORIGIN });
    if (!first.granted) throw new Error('not granted');
    for (const name of [b, c, d]) expect((await ask(name)).granted).toBe(false);
    await two.leaveQueue('s', b as string);
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS + 20)); // c falls silent
    expect((await ask(d)).granted).toBe(false);
    await one.unlock('s', first.token);
    expect((await ask(d)).granted).toBe(true);
  });

  it('hands a lock on when the one it was granted to leaves', async () => {
    const { one, two } = await start();
    const grants: string[] = [];
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(async (label) => (await one.join((hint) => hint.kind === 'grant' && grants.push(label))).member));
    const ask = (name: string | undefined): Promise<LockReply> => two.lock('s', { member: name as string, leaseMs: 5000, wait: true, since: ORIGIN });
    const first = await ask(a);
    if (!first.granted) throw new Error('not granted');
    await ask(b);
    await ask(c);
    await two.unlock('s', first.token);
    await two.leaveQueue('s', b as string);
    await until(() => grants.includes('c'));
    expect((await ask(c)).granted).toBe(true);
  });

  it('gives the lock to the next when the session is destroyed', async () => {
    const { one, two } = await start();
    const a = (await one.join(() => undefined)).member;
    const b = (await two.join(() => undefined)).member;
    const first = await one.lock('s', { member: a, leaseMs: 5000, wait: true, since: ORIGIN });
    if (!first.granted) throw new Error('not granted');
    await one.append('s', record(1, first.token));
    expect((await two.lock('s', { member: b, leaseMs: 5000, wait: true, since: ORIGIN })).granted).toBe(false);
    await one.append('s', record(2, first.token, { kind: 'tombstone', ttlMs: 60_000 }));
    const reply = await two.lock('s', { member: b, leaseMs: 5000, wait: true, since: ORIGIN });
    expect(reply.granted && reply.tail.head?.destroyed).toBe(true);
  });
}
