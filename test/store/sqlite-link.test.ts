import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AddonLink } from '../../ts/store/addon-link.ts';
import { Tickets } from '../../ts/store/sqlite-link.ts';
import type { Patience } from '../../ts/store/sqlite-link.ts';
import type { Answer } from '../../ts/store/sqlite-wire.ts';
import { ThreadLink } from '../../ts/store/thread-link.ts';
import { newFolder } from '../folders.ts';
import { HAS_ADDON, MODULE } from './drivers.ts';

const patience = (ms: number): Patience => ({ boundMs: ms, giveUpMs: ms, outcome: 'unknown' });
const ANSWER: Answer = { kind: 'committed', written: true };
const never = (): void => undefined;
const codeOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => 'answered',
    (error: { code?: unknown }) => error.code,
  );

afterEach(() => void vi.useRealTimers());

describe('questions under way', () => {
  it('are given up each at its own time, and answered before', async () => {
    const tickets = new Tickets(never, () => []);
    const late = codeOf(tickets.ask(patience(40), never));
    const sooner = codeOf(tickets.ask(patience(10), never));
    const answered = codeOf(tickets.ask(patience(20), (ticket) => tickets.settle(ticket, ANSWER)));
    expect(await answered).toBe('answered');
    expect(await Promise.race([late.then(() => 'late'), sooner])).toBe('ERR_UNAVAILABLE');
    expect(await late).toBe('ERR_UNAVAILABLE');
  });

  it('are given up also after the fake timers of a test have taken the timer with them', async () => {
    const tickets = new Tickets(never, () => []);
    vi.useFakeTimers();
    await tickets.ask(patience(100), (ticket) => tickets.settle(ticket, ANSWER));
    vi.useRealTimers();
    const hung = codeOf(tickets.ask(patience(20), never));
    expect(await Promise.race([hung, new Promise((resolve) => setTimeout(resolve, 1000, 'hangs'))])).toBe(
      'ERR_UNAVAILABLE',
    );
  });
});

it('a store whose helper has ended says so at once, and closes', async () => {
  const helpers: Worker[] = [];
  process.once('worker', (worker) => helpers.push(worker));
  const link = await ThreadLink.open(newFolder(), false, 5000, { name: MODULE });
  await helpers[0]?.terminate();
  const asked = link.ask({ kind: 'fetch', id: 's', from: undefined, limitBytes: 1000 }, patience(5000));
  await expect(asked).rejects.toMatchObject({
    code: 'ERR_UNAVAILABLE',
    outcome: 'none',
    message: expect.stringMatching(/the helper has ended: open the store again/),
  });
  await link.close(5000);
  expect(await codeOf(link.ask({ kind: 'check' }, patience(5000)))).toBe('ERR_CLOSED');
});

it.skipIf(!HAS_ADDON)(
  `what is asked while a test has faked \`process.nextTick\` is sent${HAS_ADDON ? '' : ' (skipped: the addon is not built)'}`,
  async () => {
    const link = await AddonLink.open(newFolder(), false, 5000);
    const nextTick = process.nextTick;
    process.nextTick = () => undefined;
    const asked = link.ask({ kind: 'fetch', id: 's', from: undefined, limitBytes: 1000 }, patience(2000));
    process.nextTick = nextTick;
    expect(await codeOf(asked)).toBe('answered');
    await link.close(5000);
  },
);
