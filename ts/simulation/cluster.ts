import type { Mark } from '../history/mark.ts';
import { Recorder } from '../history/record.ts';
import type { Expiry, Head } from '../store/store.ts';
import type { Knobs } from './knobs.ts';
import type { Names } from './names.ts';
import type { Machine, Network } from './network.ts';
import { Actor } from './world.ts';
import type { World } from './world.ts';

/** What a process runs. */
export interface Application {
  /** The primary that it was told to use. */
  readonly primary: Machine;
  /** One use of some session, drawn by the seed. It rejects only when something is wrong. */
  use(): Promise<void>;
  /** The session's keys under the lock, as this process sees them when all is quiet. */
  sees(id: string): Promise<readonly string[] | undefined>;
  close(): Promise<void>;
}

export interface Seen {
  readonly head: Head | undefined;
  readonly keys: readonly string[] | undefined;
}

/** A kind of application, and the sessions that only its processes use. */
export interface Workload {
  readonly names: Names;
  /** Where its sessions are now. */
  primary(): Machine;
  /** For a new process of the member of this number. */
  open(actor: Actor, number: number): Application;
  /** What is in the primary when all is quiet: `keys` are undefined where nothing lives. */
  look(id: string): Promise<Seen>;
  /** How backups differ from the primary after they were told to catch up; undefined: not at all. */
  disagreement?(id: string): Promise<string | undefined>;
  /** Marks what is lost to the new world with a primary that was given up. */
  supersede?(): void;
}

/** Which stores the members are told to use. */
export interface Configuration {
  readonly primary: Machine;
  readonly backups: readonly Machine[];
}

/** All that takes part in a run. */
export interface Cluster {
  readonly world: World;
  readonly knobs: Knobs;
  /** Of all sessions: all processes are configured alike. */
  readonly expiry: Expiry;
  readonly network: Network;
  readonly history: Mark[];
  readonly machines: readonly Machine[];
  readonly members: Member[];
  /** Of processes that start from now on. */
  configuration: Configuration;
}

/**
 * A member of the cluster: a process, and after a crash another in its place. What it has left to do outlives its
 * processes.
 */
export class Member {
  readonly name: string;
  readonly #number: number;
  readonly #world: World;
  readonly #workers: number;
  readonly #restMs: number;
  readonly workload: Workload;
  readonly #onIdle: () => void;
  readonly #uses: number;
  #left: number;
  #processes = 0;
  #running = 0;
  /** Belongs to its machine: a process that starts anew has it too. */
  wallSkewMs = 0;
  actor: Actor;
  application: Application | undefined;

  /** `onIdle` is called whenever a worker is done. */
  constructor(
    world: World,
    name: string,
    number: number,
    labour: Pick<Knobs, 'workers' | 'ops' | 'restMs'>,
    workload: Workload,
    onIdle: () => void,
  ) {
    const { workers, ops, restMs } = labour;
    this.#world = world;
    this.name = name;
    this.#number = number;
    this.#workers = workers;
    this.#restMs = restMs;
    this.#uses = ops * workers;
    this.#left = this.#uses;
    this.workload = workload;
    this.#onIdle = onIdle;
    this.actor = new Actor(name);
  }

  get idle(): boolean {
    return this.#running === 0 && (this.actor.alive || this.#left === 0);
  }

  toString(): string {
    return `${this.actor.name} ${this.#running} busy, ${this.#left} of ${this.#uses} left`;
  }

  start(): void {
    this.actor = new Actor(`${this.name}${(this.#processes += 1)}`);
    this.actor.wallSkewMs = this.wallSkewMs;
    this.application = this.workload.open(this.actor, this.#number);
    this.#running = this.#workers;
    for (let worker = 0; worker < this.#workers; worker += 1) void this.#work(this.actor, this.application);
  }

  crash(): void {
    this.#world.crash(this.actor);
    this.application = undefined;
    this.#running = 0;
  }

  async #work(actor: Actor, application: Application): Promise<void> {
    try {
      while (this.#left > 0) {
        this.#left -= 1;
        await this.#world.sleep(actor, this.#world.app() * this.#restMs);
        await application.use();
      }
    } catch (error) {
      this.#world.find('worker failed', String((error as Error).stack ?? error));
    }
    this.#running -= 1;
    this.#onIdle();
  }
}

/**
 * Writes down what a process does, in the history and in the trace. Expiries are judged by the true wall clock: stores
 * keep to it, whatever jumps.
 */
export function recorderOf({ world, history }: Pick<Cluster, 'world' | 'history'>, actor: Actor): Recorder {
  const sink = (mark: Mark): void => {
    history.push(mark);
    world.note(mark.who, () => shown(mark));
  };
  return new Recorder({ who: actor.name, clock: world.clock(actor), sink, wall: () => world.wallMs });
}

/** A mark as one line of a trace. */
function shown(mark: Mark): string {
  const { who: _who, at: _at, wall: _wall, ...rest } = mark;
  return JSON.stringify(rest);
}
