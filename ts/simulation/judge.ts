import { check } from '../history/check.ts';
import type { Final } from '../history/check.ts';
import { HoldfastError } from '../errors.ts';
import type { Cluster, Member, Workload } from './cluster.ts';
import { Actor } from './world.ts';

/** For what is still on its way when trouble ends; longer than any request is late, and than any lease. */
const QUIET_MS = 10_000;
const BOUND_MS = 30_000;
/** A run that has not ended by then hangs. */
const LONGEST_MS = 600_000;

/** When all members are done, ends all trouble, waits for what is under way, and judges. */
export class Judge {
  readonly #cluster: Cluster;
  readonly #workloads: readonly Workload[];
  readonly #actor = new Actor('judge');
  #called = false;

  constructor(cluster: Cluster, workloads: readonly Workload[]) {
    this.#cluster = cluster;
    this.#workloads = workloads;
    cluster.world.at(LONGEST_MS, this.#actor, 'time is up', () => this.#timeIsUp());
  }

  /** To be called whenever a member may have become idle. */
  look(): void {
    const { world, members } = this.#cluster;
    if (this.#called || !members.every((member) => member.idle)) return;
    this.#called = true;
    world.at(1, this.#actor, 'quiet', () => this.#quiet());
  }

  #timeIsUp(): void {
    if (this.#called) return;
    const { world, members } = this.#cluster;
    world.find('stuck', members.map(String).join('; '));
    world.ended = true;
  }

  #quiet(): void {
    const { world, members, machines, network } = this.#cluster;
    world.chaotic = false;
    network.mendAll();
    for (const actor of [...members.map((member) => member.actor), ...machines]) {
      actor.wallSkewMs = 0;
      world.resume(actor);
    }
    world.at(QUIET_MS, this.#actor, 'judge', () => void this.#judge());
  }

  async #judge(): Promise<void> {
    const { world, members, history, knobs } = this.#cluster;
    try {
      const finals: Final[] = [];
      for (const workload of this.#workloads) await this.#judgeWorkload(workload, finals);
      for (const member of members)
        await this.#bounded(`close of ${member.actor.name}`, member.application?.close() ?? Promise.resolve());
      // A jump of a store's clock may lengthen a session's life, never shorten it.
      const expiry = knobs.storeJumps > 0 ? { overMs: Infinity } : {};
      for (const { kind, id, detail } of check(history, finals, { expiry }).findings)
        world.find(kind, `'${id}': ${detail}`);
    } catch (error) {
      world.find('judge failed', String((error as Error).stack ?? error));
    }
    world.ended = true;
  }

  async #judgeWorkload(workload: Workload, finals: Final[]): Promise<void> {
    const { knobs } = this.#cluster;
    const members = this.#cluster.members.filter(
      (member) => member.workload === workload && member.application?.primary === workload.primary(),
    );
    workload.supersede?.();
    for (const id of workload.names.all) {
      const seen = await this.#bounded(`look at '${id}'`, workload.look(id));
      if (seen === undefined) continue;
      const { name } = workload.primary();
      finals.push({ store: name, id, wall: this.#cluster.world.wallMs, head: seen.head, keys: seen.keys ?? [] });
      if (seen.keys === undefined) continue;
      for (const member of members) await this.#compare(member, id, seen.keys);
      // A backup keeps the life before, until that has expired there too.
      if (knobs.expiry === 'near') continue;
      const disagreement = await this.#bounded(
        `backups of '${id}'`,
        workload.disagreement?.(id) ?? Promise.resolve(undefined),
      );
      if (disagreement !== undefined) this.#cluster.world.find('backup astray', `'${id}': ${disagreement}`);
    }
  }

  /** Whoever lives can use the session now, and sees what is there. */
  async #compare(member: Member, id: string, keys: readonly string[]): Promise<void> {
    const { world, knobs } = this.#cluster;
    const seen = await this.#bounded(
      `use of '${id}' by ${member.actor.name}`,
      member.application?.sees(id) ?? Promise.resolve(undefined),
    );
    if (seen === undefined ? knobs.expiry === 'near' : seen.join() === keys.join()) return;
    world.find(
      'member is astray',
      `'${id}': ${member.actor.name} sees …${seen?.slice(-3).join()}, the primary has …${keys.slice(-3).join()}`,
    );
  }

  /** Undefined, and a finding, when it fails or does not end. */
  async #bounded<T>(what: string, work: Promise<T>): Promise<T | undefined> {
    const { world } = this.#cluster;
    let stop = (): void => undefined;
    const bound = new Promise<never>((_resolve, reject) => {
      stop = world.at(BOUND_MS, this.#actor, undefined, () => reject(new Error(`has not ended after ${BOUND_MS} ms`)));
    });
    try {
      return await Promise.race([work, bound]);
    } catch (error) {
      world.find(
        'not usable when quiet',
        `${what}: ${error instanceof HoldfastError ? error.code : ''} ${(error as Error).message}`,
      );
      return undefined;
    } finally {
      stop();
    }
  }
}
