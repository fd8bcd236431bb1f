import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { knobsOf } from '../../ts/simulation/knobs.ts';
import type { Knobs } from '../../ts/simulation/knobs.ts';
import { Machine, Network } from '../../ts/simulation/network.ts';
import { Actor, World, drive } from '../../ts/simulation/world.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Append, CallOptions, Store } from '../../ts/store/store.ts';

const FAIR: Partial<Knobs> = {
  latencyMs: 4,
  patienceMs: 100,
  lossBefore: 0,
  lossAfter: 0,
  late: 0,
  duplicates: 0,
  hintLoss: 0,
};
const CALL = { since: ORIGIN, limitBytes: 0 };

/** One caller and one machine whose store counts what reaches it. */
class Scene {
  readonly world: World;
  readonly network: Network;
  readonly caller: Actor = new Actor('caller');
  readonly machine: Machine;
  readonly store: Store;
  readonly arrivals: number[] = [];
  /** When the call's outcome was known, and what it was. */
  outcome: string | undefined;

  constructor(seed: number, knobs: Partial<Knobs>) {
    this.world = new World(seed);
    this.network = new Network(this.world, knobsOf(seed, { ...FAIR, ...knobs }));
    const arrived = (): void => void this.arrivals.push(this.world.timeMs);
    this.machine = new Machine('machine', (self) => {
      const inner = new MemoryStore({ clock: this.world.clock(self) });
      const read = inner.read.bind(inner);
      return Object.assign(inner, { read: (...given: Parameters<Store['read']>) => (arrived(), read(...given)) });
    });
    this.store = this.network.link(this.caller, this.machine);
  }

  ask(options?: CallOptions): void {
    const said = (what: string): void => void (this.outcome = what);
    this.store.read('a', CALL, options).then(
      () => said('answered'),
      (error: HoldfastError) => said(`${error.code} ${error.outcome}`),
    );
  }

  at(ms: number, run: () => void): void {
    this.world.at(ms, new Actor('director'), undefined, run);
  }

  /** Until nothing happens any more, or for a minute: the store's own sweep never ends. */
  async play(): Promise<this> {
    this.at(60_000, () => {
      this.world.ended = true;
    });
    await drive(this.world, 100_000);
    return this;
  }
}

/** The scene that `direct` makes of one call, for each of twenty seeds. */
async function scenes(knobs: Partial<Knobs>, direct: (scene: Scene) => void): Promise<Scene[]> {
  return Promise.all(
    Array.from({ length: 20 }, (_, seed) => {
      const scene = new Scene(seed, knobs);
      direct(scene);
      return scene.play();
    }),
  );
}

const outcomes = (all: readonly Scene[]): string[] =>
  [...new Set(all.map(({ outcome, arrivals }) => `${outcome}, ${arrivals.length} arrived`))].toSorted();

describe('the network', () => {
  it('carries a call there and its answer back', async () => {
    expect(outcomes(await scenes({}, (scene) => scene.ask()))).toEqual(['answered, 1 arrived']);
  });

  it('loses requests: refused at once, or swallowed', async () => {
    expect(outcomes(await scenes({ lossBefore: 1 }, (scene) => scene.ask()))).toEqual([
      'ERR_UNAVAILABLE none, 0 arrived',
      'ERR_UNAVAILABLE unknown, 0 arrived',
    ]);
  });

  it('loses answers: what was done stays done', async () => {
    expect(outcomes(await scenes({ lossAfter: 1 }, (scene) => scene.ask()))).toEqual([
      'ERR_UNAVAILABLE unknown, 1 arrived',
    ]);
  });

  it('carries late requests when their sender has given up', async () => {
    const all = await scenes({ late: 1 }, (scene) => scene.ask());
    expect(outcomes(all)).toContain('ERR_UNAVAILABLE unknown, 1 arrived');
    expect(all.some(({ arrivals }) => (arrivals[0] as number) > 100)).toBe(true);
  });

  it('carries some requests twice, and answers the first', async () => {
    expect(outcomes(await scenes({ duplicates: 1 }, (scene) => scene.ask({ timeoutMs: 5000 })))).toEqual([
      'answered, 2 arrived',
    ]);
  });

  it("ends a call at its own bound, at the driver's where it has none, and on its signal", async () => {
    const hang = (scene: Scene): void => {
      scene.machine.paused = true;
      scene.at(50_000, () => scene.world.resume(scene.machine));
    };
    const givenUpAfter = async (options: CallOptions | undefined, abort?: (scene: Scene) => void): Promise<string> => {
      const scene = new Scene(1, {});
      let ms = 0;
      hang(scene);
      scene.store.read('a', CALL, options).catch((error: HoldfastError) => {
        ms = scene.world.timeMs;
        scene.outcome = error.outcome;
      });
      abort?.(scene);
      await scene.play();
      return `${ms} ${scene.outcome}`;
    };
    expect(await givenUpAfter({ timeoutMs: 30 })).toBe('30 unknown');
    expect(await givenUpAfter(undefined)).toBe('100 unknown');
    const controller = new AbortController();
    expect(await givenUpAfter({ signal: controller.signal }, (scene) => scene.at(20, () => controller.abort()))).toBe(
      '20 unknown',
    );
    expect(await givenUpAfter({ signal: AbortSignal.abort() })).toBe('0 none');
  });

  it('carries nothing across a cut, and everything after it', async () => {
    const cut = await scenes({ patienceMs: 0 }, (scene) => {
      scene.network.cut(scene.caller, scene.machine);
      scene.ask();
    });
    expect(outcomes(cut)).toEqual(['ERR_UNAVAILABLE none, 0 arrived']);
    const mended = await scenes({}, (scene) => {
      scene.network.cut(scene.caller);
      scene.network.mend(scene.caller);
      scene.ask();
    });
    expect(outcomes(mended)).toEqual(['answered, 1 arrived']);
  });

  it('resets what was on its way to a machine that is started anew', async () => {
    expect(
      outcomes(
        await scenes({}, (scene) => {
          scene.ask();
          scene.machine.restart();
        }),
      ),
    ).toEqual(['ERR_UNAVAILABLE unknown, 0 arrived']);
  });

  it('may or may not carry what a process sent before it died', async () => {
    const all = await scenes({}, (scene) => {
      scene.ask();
      scene.world.crash(scene.caller);
    });
    expect(outcomes(all)).toEqual(['undefined, 0 arrived', 'undefined, 1 arrived']);
  });

  it('has bytes of its own', async () => {
    const scene = new Scene(1, {});
    const bytes = Buffer.from('before');
    const append: Append = {
      parent: ORIGIN,
      position: { revision: 1, nonce: 5 },
      kind: 'snapshot',
      bytes,
      under: { member: 'x', ticket: 1, leaseMs: 1000, wait: false },
    };
    void scene.store.append('a', append);
    bytes.write('after!');
    await scene.play();
    const { records } = await scene.machine.store.read('a', { since: ORIGIN });
    expect(records.map((record) => Buffer.from(record).toString())).toEqual(['before']);
  });

  it('loses, delays and doubles hints, and tells of a loss when a cut is mended', async () => {
    const heard = async (knobs: Partial<Knobs>, cut: boolean): Promise<string[][]> =>
      Promise.all(
        Array.from({ length: 30 }, async (_, seed) => {
          const scene = new Scene(seed, knobs);
          const hints: string[] = [];
          const owner = { leaseMs: 1000, wait: true, since: ORIGIN, limitBytes: 0 };
          const holder = await joined(scene, (hint) => hints.push(hint));
          await scene.machine.store.lock('a', { ...owner, member: holder, ticket: 1 });
          if (cut) scene.network.cut(scene.machine);
          await scene.machine.store.lock('a', { ...owner, member: 'another', ticket: 1 });
          if (cut) scene.at(50, () => scene.network.mend(scene.machine));
          await scene.play();
          return hints;
        }),
      );
    const usual = (await heard({}, false)).map((hints) => hints.length);
    expect(new Set(usual)).toEqual(new Set([1, 2]));
    expect(new Set((await heard({ hintLoss: 1 }, false)).flat())).toEqual(new Set());
    expect(new Set((await heard({}, true)).flat())).toEqual(new Set(['resync']));
  });
});

/** The name of a member whose hints come through the network. */
async function joined(scene: Scene, heard: (hint: string) => void): Promise<string> {
  let member: string | undefined;
  void scene.store
    .join((hint) => heard(hint.kind))
    .then((membership) => {
      member = membership.member;
    });
  while (member === undefined && scene.world.step()) await new Promise(setImmediate);
  return member as string;
}
