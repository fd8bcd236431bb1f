import { describe, expect, it } from 'vitest';
import { newFolder } from '../folders.ts';
import { NO_REDIS, RedisServer, newPrefix } from '../store/redis-server.ts';
import { Shop } from './shop.ts';

const GROUNDS = [
  ['the embedded store', undefined, () => Promise.resolve(newFolder())],
  ['a Redis server', NO_REDIS, async () => `${(await RedisServer.start()).url}?prefix=${newPrefix()}`],
] as const;

const TIMES = 20;
const each = <T>(times: number, run: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: times }, (_, n) => run(n)));

for (const [ground, missing, newAddress] of GROUNDS)
  for (const framework of ['express', 'fastify'] as const) {
    const title = `two servers of ${framework} on ${ground}${missing === undefined ? '' : ` (${missing})`}`;
    describe.skipIf(missing !== undefined)(title, { timeout: 120_000 }, () => {
      const start = async (): Promise<[Shop, Shop]> => {
        const address = await newAddress();
        return Promise.all([Shop.start(framework, address), Shop.start(framework, address)]);
      };

      it('lose no request that ran beside others', async () => {
        const [one, other] = await start();
        const server = (n: number): Shop => (n % 2 === 0 ? one : other);

        const cookie = await one.login();
        const items: string[] = [];
        for (let n = 0; n < TIMES; n += 1) {
          await Promise.all([one.get('add', cookie, `a${n}`), other.get('add', cookie, `b${n}`)]);
          items.push(`a${n}`, `b${n}`);
        }
        const { cart } = await other.get('show', cookie);
        expect((cart as string[]).toSorted()).toEqual(items.toSorted());

        const keys = Array.from({ length: 50 }, (_, n) => `key${n}`);
        await each(keys.length, (n) => server(n).get('put', cookie, keys[n]));
        expect(Object.keys(await one.get('show', cookie))).toEqual(expect.arrayContaining(keys));

        for (let n = 0; n < TIMES; n += 1) {
          const going = await one.login();
          const slow = server(n).get('slow', going, 'late');
          await server(n + 1).get('logout', going);
          await slow;
          expect(await server(n).get('show', going)).not.toMatchObject({ user: 'ann' });
          expect(await server(n + 1).get('show', going)).not.toHaveProperty('slow');
        }
        await Promise.all([one.kill(), other.kill()]);
      });

      it('lose nothing that was answered when one is killed at work', async () => {
        const [one, other] = await start();
        const cookie = await other.login();
        const acknowledged: string[] = [];
        let isOver = false;
        const load = async (shop: Shop, name: string): Promise<void> => {
          for (let n = 0; !isOver; n += 1) {
            const item = `${name}${n}`;
            const isSaved = await shop.get('add', cookie, item).then(
              () => true,
              () => false, // it was killed; or its connection was
            );
            if (!isSaved && shop === one) return;
            if (isSaved) acknowledged.push(item);
          }
        };
        const loads = [load(one, 'a'), load(one, 'b'), load(other, 'c')];
        while (acknowledged.filter((item) => !item.startsWith('c')).length < 10)
          await new Promise((resolve) => setTimeout(resolve, 20));
        await one.kill();
        const before = acknowledged.length;
        while (acknowledged.length < before + 5) await new Promise((resolve) => setTimeout(resolve, 20));
        isOver = true;
        await Promise.all(loads);
        const { cart } = (await other.get('show', cookie)) as { cart: string[] };
        expect(cart).toEqual(expect.arrayContaining(acknowledged));
        expect(new Set(cart).size).toBe(cart.length);
        await other.kill();
      });
    });
  }
