import { expect, it } from 'vitest';
import { VirtualClock } from '../../ts/testing/index.ts';
import { Health } from '../../ts/web/health.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** What became of a piece of work, as far as that is known. */
function follow(work: Promise<unknown>) {
  const seen: { is: string; outcome?: unknown; status?: unknown } = { is: 'waiting' };
  work.then(
    (value) => (seen.is = String(value)),
    (error: { code: string; outcome?: unknown; status?: unknown }) =>
      Object.assign(seen, { is: error.code, outcome: error.outcome, status: error.status }),
  );
  return seen;
}

function begin() {
  const clock = new VirtualClock();
  const pings: { answer: () => void; fail: () => void }[] = [];
  const lines: string[] = [];
  const ping = () =>
    new Promise<void>((resolve, reject) => pings.push({ answer: resolve, fail: () => reject(new Error('gone')) }));
  const health = new Health(ping, 250, (line) => void lines.push(line), clock);
  const pass = async (ms: number): Promise<void> => {
    clock.pass(ms);
    await soon();
  };
  return { health, pings, lines, pass };
}

it('a store that does not answer is known as down 250 ms after a request has begun to wait', async () => {
  const { health, pings, lines, pass } = begin();
  const seen = [follow(health.run(undefined, never)), follow(health.run(undefined, never))];
  await pass(124);
  expect(pings.length).toBe(0);
  await pass(1);
  expect(pings.length).toBe(1); // one for all
  await pass(124);
  expect(seen.map(({ is }) => is)).toEqual(['waiting', 'waiting']);
  await pass(1);
  const down = { is: 'ERR_UNAVAILABLE', outcome: 'none', status: 503 };
  expect(seen).toEqual([down, down]);
  expect(lines).toEqual(['holdfast: the store is down (no answer within 125 ms)']);
  // From then on no work is begun before it answers.
  let hasBegun = false;
  const next = follow(health.run(undefined, async () => (hasBegun = true)));
  await pass(125);
  expect([next, hasBegun]).toEqual([down, false]);
  const last = follow(health.run(undefined, async () => (hasBegun = true)));
  pings.at(-1)?.answer();
  await soon();
  expect([last.is, hasBegun, lines.length]).toEqual(['true', true, 2]);
});

it('a wait that is long for another reason goes on, as long as the store answers', async () => {
  const { health, pings, lines, pass } = begin();
  let end: ((value: string) => void) | undefined;
  const seen = follow(health.run(undefined, () => new Promise<string>((resolve) => (end = resolve))));
  for (let turn = 0; turn < 10; turn += 1) {
    await pass(turn === 0 ? 125 : 1000);
    expect(pings.length).toBe(turn + 1);
    pings.at(-1)?.answer();
    await soon();
  }
  expect(seen.is).toBe('waiting');
  end?.('done');
  await soon();
  await pass(5000);
  expect([seen.is, pings.length, lines]).toEqual(['done', 10, []]);
});

it('the time of the application’s own work is not counted, and a save that hangs is of unknown outcome', async () => {
  const { health, pings, pass } = begin();
  let end: (() => void) | undefined;
  const seen = follow(
    health.run(undefined, async ({ use }) => {
      await use(() => new Promise<void>((resolve) => (end = resolve)));
      return never();
    }),
  );
  await pass(60_000);
  expect([seen.is, pings.length]).toEqual(['waiting', 0]);
  end?.();
  await soon();
  await pass(125);
  pings[0]?.fail();
  await soon();
  expect(seen).toEqual({ is: 'ERR_UNAVAILABLE', outcome: 'unknown', status: 503 });
});

it('a client that goes away while it is asked whether the store is back ends the wait, and nothing else', async () => {
  const { health, pings, pass } = begin();
  follow(health.run(undefined, never));
  await pass(125);
  pings[0]?.fail();
  await soon();
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    let gone: ((reason: unknown) => void) | undefined;
    let hasBegun = false;
    const seen = follow(
      health.run(
        (run) => ((gone = run), () => undefined),
        async () => (hasBegun = true),
      ),
    );
    gone?.(Object.assign(new Error('gone'), { code: 'GONE' }));
    await pass(125);
    expect([seen.is, hasBegun]).toEqual(['GONE', false]);
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});
