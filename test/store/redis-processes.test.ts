import { describe, expect, it } from 'vitest';
import { runProcesses } from '../history/run-processes.ts';
import type { Report } from '../history/run-processes.ts';
import { RedisCluster } from './redis-cluster.ts';
import { sleep } from './redis-records.ts';
import { NO_REDIS, RedisServer } from './redis-server.ts';

const run = (...args: readonly string[]): Promise<Report> => runProcesses(args, { timeoutMs: 110_000 });

const RATES = ['--kill-every', '200', '--stop-every', '300'];
/** The server is stopped at the third. */
const TROUBLES = 4;
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** While something runs on it, the server is killed and started again, and stopped for so long. */
async function inTrouble(
  server: RedisServer,
  stopMs: number,
  running: Promise<Report>,
): Promise<{ readonly report: Report; readonly kills: number }> {
  let ended = false;
  let kills = 0;
  const making = (async () => {
    // The judge, which comes last, is left in peace.
    while (!ended && kills < TROUBLES) {
      await sleep(700);
      if (kills % 3 === 2) {
        server.signal('SIGSTOP');
        await sleep(stopMs);
        server.signal('SIGCONT');
      } else {
        await server.kill();
        await sleep(100);
        await server.start();
      }
      kills += 1;
    }
  })();
  const report = await running.finally(() => (ended = true));
  await making;
  return { report, kills };
}

describe.skipIf(NO_REDIS !== undefined)(
  `four processes on a Redis server (${NO_REDIS ?? 'of its own'}), of which some are killed and some are stopped`,
  { timeout: 120_000 },
  () => {
    it('lose, double and mix up nothing', async () => {
      const server = await RedisServer.start();
      const report = await run('--store', server.url, '--steps', '900', ...RATES);
      expect(report).toMatchObject({ code: 0, found: {}, wrong: [] });
      expect([report.killed > 2, report.stopped > 1, report.acknowledged > 700]).toEqual([true, true, true]);
    });

    it('nor on a Cluster', async () => {
      const [server] = (await RedisCluster.start()).servers;
      const report = await run('--store', `${server?.url}?cluster=true`, '--steps', '300', ...RATES);
      expect(report).toMatchObject({ code: 0, found: {}, wrong: [] });
      expect([report.killed > 0, report.acknowledged > 200]).toEqual([true, true]);
    });

    it('nor where the server is killed and stopped, too, and keeps what it acknowledged on disk', async () => {
      const server = await RedisServer.start(...DURABLE);
      const { report, kills } = await inTrouble(server, 600, run('--store', server.url, '--steps', '900', ...RATES));
      expect(report).toMatchObject({ code: 0, found: {}, wrong: [] });
      expect([kills, report.acknowledged > 300]).toEqual([TROUBLES, true]);
    });

    it('nor where they go on without it: what is stored in the end is what is acknowledged', async () => {
      const server = await RedisServer.start(...DURABLE);
      const more = [
        '--serve-local',
        '--processes',
        '2',
        '--steps',
        '1200',
        '--kill-every',
        '400',
        '--stop-every',
        '300',
      ];
      const { report, kills } = await inTrouble(server, 1500, run('--store', server.url, ...more));
      expect(report).toMatchObject({ code: 0, found: {}, wrong: [] });
      expect([kills, (report.here ?? 0) > 20, report.acknowledged > 300]).toEqual([TROUBLES, true, true]);
    });
  },
);
