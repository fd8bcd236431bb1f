import { afterEach, describe, expect, it, vi } from 'vitest';
import { Tickets } from '../../ts/store/sqlite-link.ts';
import type { Patience } from '../../ts/store/sqlite-link.ts';
import type { Answer } from '../../ts/store/sqlite-wire.ts';

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
