import { HoldfastError } from '../errors.ts';
import { Client } from './client.ts';
import { recorderOf } from './cluster.ts';
import type { Application, Cluster, Workload } from './cluster.ts';
import type { Knobs } from './knobs.ts';
import { Names } from './names.ts';
import type { Machine } from './network.ts';
import { Actor } from './world.ts';
import type { World } from './world.ts';

/** What users of a store must be ready for. */
const EXPECTED = new Set(['ERR_UNAVAILABLE', 'ERR_LOCK_TIMEOUT', 'ERR_FENCED', 'ERR_CONFLICT', 'ERR_CLOSED']);

/** A process that uses sessions by the store's contract alone. */
export class ClientApplication implements Application {
  readonly primary: Machine;
  readonly #world: World;
  readonly #knobs: Knobs;
  readonly #names: Names;
  readonly client: Client;

  constructor(cluster: Cluster, names: Names, actor: Actor, primary: Machine) {
    const { world, knobs, network, expiry } = cluster;
    this.#world = world;
    this.#knobs = knobs;
    this.#names = names;
    this.primary = primary;
    const recorder = recorderOf(cluster, actor);
    const store = recorder.store(network.link(actor, primary), primary.name, 'primary');
    const limitBytes = world.app() < 0.3 ? 100 : undefined;
    this.client = new Client(world, actor, store, recorder, {
      leaseMs: knobs.leaseMs,
      expiry,
      ...(limitBytes && { limitBytes }),
    });
  }

  async use(): Promise<void> {
    const { app } = this.#world;
    const slot = Math.floor(app() * this.#knobs.ids);
    const id = this.#names.at(slot);
    try {
      await this.#draw(slot, id);
    } catch (error) {
      if (!(error instanceof HoldfastError) || !EXPECTED.has(error.code)) throw error;
      if (error.code === 'ERR_CLOSED') this.#names.end(slot, id);
    }
  }

  sees(id: string): Promise<readonly string[] | undefined> {
    return this.client.sees(id);
  }

  close(): Promise<void> {
    return this.client.close();
  }

  async #draw(slot: number, id: string): Promise<void> {
    const { app } = this.#world;
    const { ends, optimistic, lingers, restores, promotions } = this.#knobs;
    const draw = app();
    // Whoever keeps the lock reads its own copy for as long as its lease lasts: neither a promotion nor a restore tells
    // it.
    const keeps = app() < 0.6 && promotions === 0 && restores === 0;
    const lingersMs = app() < lingers ? app() * 600 : 0;
    if (draw < ends / 2) {
      await this.client.end(id);
      this.#names.end(slot, id);
    } else if (app() < restores) await this.client.restore(id, lingersMs, app() < 0.5);
    else if (app() < optimistic) await this.client.optimistic(id, lingersMs);
    else if (draw < 0.8) await this.client.write(id, lingersMs, keeps);
    else if (draw < 0.9) await this.client.read(id);
    else await this.client.touch(id, app() < 0.5);
  }
}

/**
 * Processes that use one machine's store by its contract, on sessions that only they use: they stay with it, whatever
 * is promoted.
 */
export function clientsOf(cluster: Cluster): Workload {
  const names = new Names('c', cluster.knobs.ids);
  const { primary } = cluster.configuration;
  const open = (actor: Actor): ClientApplication => new ClientApplication(cluster, names, actor, primary);
  let judge: ClientApplication | undefined;
  return {
    names,
    primary: () => primary,
    open,
    look: (id) => (judge ??= open(new Actor('judge of clients'))).client.look(id),
  };
}
