import { describe, expect, it } from 'vitest';
import { Actor, World, drive } from '../../ts/simulation/world.ts';

const LIMIT = 10_000;

/** What a few actors do, in the order in which it happens. */
async function order(seed: number, make: (world: World, say: (what: string) => void) => void): Promise<string[]> {
  const world = new World(seed, { trace: true });
  const said: string[] = [];
  make(world, (what) => said.push(`${world.timeMs} ${what}`));
  await drive(world, LIMIT);
  return said;
}

describe('a world', () => {
  it('runs what is due in order of time, and races what is due at once by its seed', async () => {
    const make = (world: World, say: (what: string) => void): void => {
      const actor = new Actor('a');
      for (const name of ['x', 'y', 'z', 'w']) world.at(5, actor, undefined, () => say(name));
      world.at(1, actor, undefined, () => say('first'));
      world.at(9, actor, undefined, () => say('last'));
    };
    const runs = await Promise.all([1, 1, 2, 3, 4, 5].map((seed) => order(seed, make)));
    expect(runs[1]).toEqual(runs[0]);
    for (const run of runs) expect([run[0], run.at(-1), run.length]).toEqual(['1 first', '9 last', 6]);
    expect(new Set(runs.map((run) => run.join())).size).toBeGreaterThan(2);
  });

  it('finishes the microtasks of one step before the next', async () => {
    const said = await order(1, (world, say) => {
      const actor = new Actor('a');
      world.at(1, actor, undefined, () => {
        void Promise.resolve()
          .then(() => Promise.resolve())
          .then(() => say('deep'));
      });
      world.at(1.001, actor, undefined, () => say('next'));
    });
    expect(said.map((line) => line.split(' ')[1])).toEqual(['deep', 'next']);
  });

  it('keeps what comes to a paused actor until it goes on, and then races it', async () => {
    const orders = new Set<string>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const said = await order(seed, (world, say) => {
        const [actor, other] = [new Actor('a'), new Actor('b')];
        actor.paused = true;
        for (const ms of [1, 2, 3]) world.at(ms, actor, undefined, () => say(`a${ms}`));
        world.at(4, other, undefined, () => say('b'));
        world.at(50, other, undefined, () => world.resume(actor));
      });
      expect(said[0]).toBe('4 b');
      expect(said.slice(1).toSorted()).toEqual(['50 a1', '50 a2', '50 a3']);
      orders.add(said.join());
    }
    expect(orders.size).toBeGreaterThan(2);
  });

  it('never runs what was to happen to an actor that crashed, be it paused or not', async () => {
    const said = await order(1, (world, say) => {
      const [dead, stopped, other] = [new Actor('a'), new Actor('b'), new Actor('c')];
      stopped.paused = true;
      for (const actor of [dead, stopped]) void world.sleep(actor, 10).then(() => say(actor.name));
      world.at(20, other, undefined, () => world.crash(stopped));
      world.at(5, other, undefined, () => world.crash(dead));
      world.at(30, other, undefined, () => world.resume(stopped));
      world.at(40, other, undefined, () => say('c'));
    });
    expect(said).toEqual(['40 c']);
  });

  it('gives each actor a wall clock that can be set wrong, and all one monotonic clock', () => {
    const world = new World(1);
    const [right, wrong] = [new Actor('a'), new Actor('b')];
    wrong.wallSkewMs = -7_200_000;
    expect(world.clock(wrong).now() - world.clock(right).now()).toBe(-7_200_000);
    expect(world.clock(wrong).monotonic()).toBe(world.clock(right).monotonic());
  });

  it('draws from streams that do not move each other', () => {
    const [one, other] = [new World(7), new World(7)];
    for (let i = 0; i < 100; i += 1) one.net();
    expect([one.app(), one.chaos(), one.order()]).toEqual([other.app(), other.chaos(), other.order()]);
    const [bytes, others, next] = [new Uint8Array(8), new Uint8Array(8), new Uint8Array(8)];
    one.entropy.fill(bytes);
    other.entropy.fill(others);
    other.entropy.fill(next);
    expect(bytes).toEqual(others);
    expect(next).not.toEqual(bytes);
  });

  it('stops after its limit', async () => {
    const world = new World(1);
    const actor = new Actor('a');
    const again = (): void => void world.at(1, actor, undefined, again);
    again();
    await drive(world, 500);
    expect(world.steps).toBe(500);
  });
});
