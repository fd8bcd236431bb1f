import { recorderOf } from './cluster.ts';
import type { Cluster, Member } from './cluster.ts';
import type { Machine } from './network.ts';
import { pick } from './random.ts';
import type { Random } from './random.ts';
import { Actor } from './world.ts';

const HOUR_MS = 3_600_000;

/** The seed's trouble, at times drawn beforehand: how the members fare does not change when it comes. */
export function makeTrouble(cluster: Cluster): void {
  const trouble = new Trouble(cluster);
  trouble.ofMembers();
  trouble.ofMachines();
  trouble.ofBackups();
  trouble.ofConfiguration();
}

class Trouble {
  readonly #cluster: Cluster;
  readonly #chaos: Random;
  readonly #nobody = new Actor('chaos');
  /** About as long as the members are busy. */
  readonly #spanMs: number;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#chaos = cluster.world.chaos;
    this.#spanMs = (20 + cluster.knobs.restMs) * cluster.knobs.ops;
  }

  ofMembers(): void {
    const { members, network, knobs } = this.#cluster;
    if (members.length === 0) return;
    this.#some(knobs.crashes, 'crash', members, (member, part) => this.#crash(member, part));
    this.#some(knobs.pauses, 'pause', members, ({ actor }, part) => this.#pause(actor, part * 3 * knobs.leaseMs));
    this.#some(knobs.cuts, 'cut', members, ({ actor }, part) => {
      network.cut(actor);
      this.#later(part * 2 * knobs.leaseMs, `mend ${actor.name}`, () => network.mend(actor));
    });
    this.#some(knobs.memberJumps, 'jump', members, (member, part) => {
      member.wallSkewMs = member.actor.wallSkewMs = jump(part);
    });
  }

  ofMachines(): void {
    const { machines, knobs } = this.#cluster;
    this.#some(knobs.storeJumps, 'jump', machines, (machine, part) => {
      machine.wallSkewMs = jump(part);
    });
    this.#some(knobs.restarts, 'restart', [this.#cluster.configuration.primary], (machine) => machine.restart());
  }

  ofBackups(): void {
    const { network, knobs, configuration } = this.#cluster;
    for (const backup of configuration.backups) {
      const [atMs, ms] = [this.#chaos() * this.#spanMs, this.#chaos() * 8000];
      if (knobs.backupTrouble === 'hang') this.#at(atMs, `hang ${backup.name}`, () => this.#pause(backup, ms));
      if (knobs.backupTrouble !== 'cut') continue;
      this.#at(atMs, `cut ${backup.name}`, () => {
        network.cut(backup);
        this.#later(ms, `mend ${backup.name}`, () => network.mend(backup));
      });
    }
  }

  ofConfiguration(): void {
    const { knobs, configuration } = this.#cluster;
    this.#some(knobs.promotions, 'promote', [configuration.primary], (primary, part) => {
      if (knobs.members === 0) void this.#promoted(primary, 'primary');
      else if (configuration.backups.length > 0) void this.#failOver(part);
    });
  }

  /**
   * The first backup takes the primary's place. Planned: all members are stopped before, and the old primary becomes a
   * backup. Unplanned: it may be dead or not; members are started anew one by one, and one of them may go on with
   * yesterday's configuration.
   */
  async #failOver(part: number): Promise<void> {
    const { configuration, members, network } = this.#cluster;
    const {
      primary,
      backups: [promoted, ...others],
    } = configuration;
    if (promoted === undefined) return;
    const moving = members.filter(
      (member) => member.workload.primary() === primary && member.workload.supersede !== undefined,
    );
    const isPlanned = part < 0.3;
    if (isPlanned) for (const member of moving) this.#crash(member, part);
    else if (part < 0.6) network.cut(primary);
    await this.#promoted(promoted, 'backup');
    this.#cluster.configuration = { primary: promoted, backups: isPlanned ? [...others, primary] : others };
    const someoneStays = part > 0.45 && part < 0.8;
    if (isPlanned) return;
    for (const member of moving.slice(someoneStays ? 1 : 0))
      this.#later(this.#chaos() * 300, `stop ${member.name}`, () => this.#crash(member, 0));
  }

  async #promoted(machine: Machine, role: 'primary' | 'backup'): Promise<void> {
    await recorderOf(this.#cluster, this.#nobody).store(machine.store, machine.name, role).promote(0);
  }

  #crash(member: Member, part: number): void {
    if (!member.actor.alive) return;
    member.crash();
    this.#later(20 + part * 3000, `start ${member.name}`, () => member.start());
  }

  #pause(actor: Actor | Machine, ms: number): void {
    const { world } = this.#cluster;
    actor.paused = true;
    this.#later(ms, `resume ${actor.name}`, () => world.resume(actor));
  }

  /** `count` times, each to one of `whom`, with a number from 0 to 1 to shape it. */
  #some<T extends { readonly name: string }>(
    count: number,
    what: string,
    whom: readonly T[],
    run: (one: T, part: number) => void,
  ): void {
    for (let i = 0; i < count; i += 1) {
      const one = pick(this.#chaos, whom);
      const part = this.#chaos();
      this.#at(this.#chaos() * this.#spanMs, `${what} ${one.name}`, () => run(one, part));
    }
  }

  #at(ms: number, label: string, run: () => void): void {
    this.#later(ms, label, () => {
      if (this.#cluster.world.chaotic) run();
    });
  }

  #later(ms: number, label: string, run: () => void): void {
    this.#cluster.world.at(ms, this.#nobody, label, run);
  }
}

/** Up to 2 h either way. */
const jump = (part: number): number => Math.round((part - 0.5) * 4 * HOUR_MS);
