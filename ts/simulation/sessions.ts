import type { RecordedUse, Recorder, UseStart } from '../history/record.ts';
import type { AcquireOptions } from '../lock/member-locks.ts';
import type { HoldfastEvent } from '../observe.ts';
import { ORIGIN } from '../position.ts';
import { defineSession, mutable, unclassified } from '../session/definition.ts';
import type { SessionDefinition } from '../session/definition.ts';
import { SessionRepository } from '../session/repository.ts';
import type { RepositoryOptions, ScopeOptions } from '../session/options.ts';
import type { SaveMode } from '../tracking/classes.ts';
import { recorderOf } from './cluster.ts';
import type { Application, Cluster, Configuration, Seen, Workload } from './cluster.ts';
import { Names } from './names.ts';
import type { Machine } from './network.ts';
import { codeOf, isExpected, keysOf, outcomeOf } from './outcomes.ts';
import { Actor } from './world.ts';

/**
 * What every session holds: the list that the history is about, and attributes of other kinds that change along with
 * it.
 */
interface State {
  keys: string[];
  count: number;
  marks: Map<string, { at: number }>;
  when: Date;
  text: string;
}

const DEFINITION: SessionDefinition<State, Partial<State>> = defineSession({
  keys: mutable<string[]>(() => []),
  count: mutable<number>(() => 0, { merge: 'sum' }),
  marks: mutable<Map<string, { at: number }>>(() => new Map()),
  when: mutable<Date>(() => new Date(0), { merge: 'theirs' }),
  text: unclassified<string>(() => 'x'.repeat(40)),
});

type Sessions = SessionRepository<State, Partial<State>>;

const SAVE_MODES: readonly SaveMode[] = ['write', 'access', 'all', 'mutable-access'];

/** A save that was acknowledged, in case the primary that has it is given up. */
interface Kept {
  readonly use: RecordedUse;
  readonly id: string;
  readonly revision: number;
  readonly keys: readonly string[];
}

/** A process that uses sessions through a repository. The member's number says how: each has other settings. */
export class SessionApplication implements Application {
  readonly #cluster: Cluster;
  readonly #names: Names;
  readonly #actor: Actor;
  readonly #number: number;
  readonly configuration: Configuration;
  readonly #recorder: Recorder;
  #repository: Sessions;
  #keys = 0;
  readonly #kept: Kept[] = [];
  /** For each backup the last revision of each session that it has acknowledged to this process. */
  readonly #fed: Map<string, number>[];

  constructor(cluster: Cluster, names: Names, actor: Actor, number: number) {
    this.#cluster = cluster;
    this.#names = names;
    this.#actor = actor;
    this.#number = number;
    this.configuration = cluster.configuration;
    this.#recorder = recorderOf(cluster, actor);
    this.#fed = this.configuration.backups.map(() => new Map());
    this.#repository = this.#open();
  }

  get primary(): Machine {
    return this.configuration.primary;
  }

  async use(): Promise<void> {
    const { app } = this.#cluster.world;
    const { ids, ends } = this.#cluster.knobs;
    const slot = Math.floor(app() * ids);
    const id = this.#names.at(slot);
    const draw = app();
    if (draw < ends / 2) await this.#delete(slot, id);
    else if (draw < ends) await this.#changeId(slot, id);
    else if (draw < this.#cluster.knobs.local) await this.#local(id);
    else if (draw < 0.75) await this.#recorded(slot, id, {}, (use) => this.#scope(id, use));
    else if (draw < 0.85) await this.#recorded(slot, id, {}, (use) => this.#session(id, use));
    else if (draw < 0.94) await this.#recorded(slot, id, {}, (use) => this.#read(id, use));
    else if (draw < 0.98) await this.#mend(id);
    else await this.#reopen();
  }

  async sees(id: string): Promise<readonly string[] | undefined> {
    const timeoutMs = 8000 + 2 * this.#cluster.knobs.leaseMs;
    const session = await this.#repository.find(id, { timeoutMs });
    try {
      return keysOf(session?.state);
    } finally {
      await session?.close();
    }
  }

  async close(): Promise<void> {
    await this.#repository.close();
  }

  /** What the primary has, read without a lock. */
  async look(id: string): Promise<Seen> {
    const { head } = await this.primary.store.read(id, { since: ORIGIN, limitBytes: 0 });
    return { head, keys: head?.state === 'live' ? keysOf(await this.#repository.read(id)) : undefined };
  }

  /** How backups differ from the primary after they were told to catch up; undefined: not at all. */
  async disagreement(id: string): Promise<string | undefined> {
    await this.#repository.backups.catchUp(id);
    const states = await this.#repository.verifyBackups(id);
    return states.every((state) => state === 'equal') ? undefined : states.join();
  }

  /** `promoted` has taken the place of this process's primary: what it was not fed is in the outdated one only. */
  supersede(promoted: string): void {
    const fed = this.#fed[this.configuration.backups.findIndex(({ name }) => name === promoted)];
    for (const { use, id, revision, keys } of this.#kept)
      if ((fed?.get(id) ?? 0) < revision) use.kept(keys, 'superseded');
  }

  #open(): Sessions {
    const { world, knobs, network, expiry } = this.#cluster;
    const { primary, backups } = this.configuration;
    const number = this.#number;
    const options: RepositoryOptions<State, Partial<State>> = {
      definition: DEFINITION,
      store: this.#recorder.store(network.link(this.#actor, primary), primary.name, 'primary'),
      backups: backups.map((backup, i) => ({
        store: this.#recorder.store(network.link(this.#actor, backup), backup.name, 'backup'),
        ack: number === 0 && i === 0 ? 'async' : 'sync',
      })),
      lock: { leaseMs: knobs.leaseMs, release: number === 2 ? 'access' : 'lazy' },
      saveMode: SAVE_MODES[number] ?? 'write',
      engine: 'js',
      ...(number === 1 && { cacheBytes: 300 }),
      ...(expiry.idleMs !== undefined && { ttlMs: expiry.idleMs }),
      ...(expiry.ageMs !== undefined && { maxAgeMs: expiry.ageMs }),
      clock: world.clock(this.#actor),
      entropy: world.entropy,
    };
    const repository: Sessions = new SessionRepository(options);
    repository.observe((event) => this.#onEvent(event));
    return repository;
  }

  #onEvent(event: HoldfastEvent): void {
    this.#cluster.world.note(this.#actor.name, () => `event ${JSON.stringify(event)}`);
    if (event.type !== 'sent' || event.place === 'primary') return;
    const fed = this.#fed[event.place] as Map<string, number>;
    fed.set(event.id, Math.max(event.revision, fed.get(event.id) ?? 0));
  }

  /** One use with its marks. What users must be ready for ends the use, anything else is a finding. */
  async #recorded(
    slot: number,
    id: string,
    purpose: Partial<UseStart>,
    run: (use: RecordedUse) => Promise<void>,
  ): Promise<void> {
    const use = this.#recorder.use({ store: this.configuration.primary.name, id, ...purpose });
    try {
      await run(use);
      use.done('ok');
    } catch (error) {
      const code = codeOf(error);
      use.done(outcomeOf(error), { code });
      this.#checkExpected(id, error);
      if (code === 'ERR_NOT_FOUND') this.#names.end(slot, id);
    }
  }

  async #read(id: string, use: RecordedUse): Promise<void> {
    if (this.#cluster.world.app() < 0.5) return use.saw(keysOf(await this.#repository.read(id)));
    const session = await this.#repository
      .open(id, { mode: 'read' })
      .catch((error: unknown) => (codeOf(error) === 'ERR_NOT_FOUND' ? undefined : Promise.reject(error)));
    if (session !== undefined) this.#look(id, session.state);
    use.saw(keysOf(session?.state), session === undefined || session.id === id ? {} : { id: session.id });
  }

  /** Each use has added one key, and counted it, in attributes that are merged each for itself. */
  #look(id: string, { keys, count }: { readonly keys: readonly string[]; readonly count: number }): void {
    if (keys.length === count) return;
    this.#cluster.world.find('torn state', `'${id}': ${this.#actor.name} sees ${keys.length} keys and counts ${count}`);
  }

  async #scope(id: string, use: RecordedUse): Promise<void> {
    const { world, knobs } = this.#cluster;
    const { app } = world;
    const throws = app() < 0.05;
    const lingersMs = app() < knobs.lingers ? app() * 600 : 0;
    const key = this.#key();
    let revision = (): number => 0;
    const length = await this.#repository.scope(
      id,
      async (state, session) => {
        revision = () => session.revision;
        this.#look(id, state);
        use.saw(keysOf(state), session.id === id ? {} : { id: session.id });
        use.put([key]);
        this.#change(state, key);
        if (lingersMs > 0) await world.sleep(this.#actor, lingersMs);
        if (throws) throw new Error('thrown');
        return state.keys.length;
      },
      { ...this.#modeOptions(3), create: true },
    );
    this.#keep(use, id, revision(), [key], length);
  }

  /** Several saves in one use, each tried again while its outcome is unknown. */
  async #session(id: string, use: RecordedUse): Promise<void> {
    const { world } = this.#cluster;
    const { app } = world;
    const session = await this.#repository.open(id, { ...this.#modeOptions(), create: true });
    try {
      this.#look(id, session.state);
      use.saw(keysOf(session.state), session.id === id ? {} : { id: session.id });
      const open: string[] = [];
      for (let saves = 1 + Math.floor(app() * 3); saves > 0; saves -= 1) {
        const key = this.#key();
        open.push(key);
        use.put([key]);
        this.#change(session.state, key);
        const { length } = session.state.keys;
        const last = saves === 1 && app() < 0.5;
        await this.#persist(
          () => (last ? session.saveAndClose() : session.save()),
          () => session.closed,
        );
        this.#keep(use, id, session.revision, open.splice(0), length);
        if (app() < 0.3) await world.sleep(this.#actor, app() * 300);
      }
    } finally {
      await session.close();
    }
  }

  /** A use that goes on here where the primary does not answer. What it has seen is told once that is stored. */
  async #local(id: string): Promise<void> {
    const { app } = this.#cluster.world;
    const use = this.#recorder.use({ store: this.configuration.primary.name, id });
    const failed = (error: unknown): void => use.done(outcomeOf(error), { code: codeOf(error) });
    try {
      const outage = { policy: 'serve-local', failMs: 20 + app() * 80 } as const;
      const session = await this.#repository.open(id, { ...this.#useOptions(), create: true, outage });
      try {
        this.#look(id, session.state);
        const seen = keysOf(session.state);
        const where = session.id === id ? {} : { id: session.id };
        const key = this.#key();
        use.put([key]);
        this.#change(session.state, key);
        const { length } = session.state.keys;
        const { stored, settled, revision } = await session.saveAndClose();
        const done = (): void => {
          use.saw(seen, where);
          this.#keep(use, id, revision, [key], length);
          use.done('ok');
        };
        if (stored) done();
        else void settled.then(done, failed);
      } finally {
        await session.close();
      }
    } catch (error) {
      failed(error);
      this.#checkExpected(id, error);
    }
  }

  #checkExpected(id: string, error: unknown): void {
    if (isExpected(error)) return;
    this.#cluster.world.find(
      'unexpected error',
      `'${id}' by ${this.#actor.name}: ${String((error as Error).stack ?? error)}`,
    );
  }

  async #persist(save: () => Promise<unknown>, closed: () => boolean): Promise<void> {
    for (let tries = 3; ; tries -= 1) {
      try {
        await save();
        return;
      } catch (error) {
        if (codeOf(error) !== 'ERR_UNAVAILABLE' || tries === 1 || closed()) throw error;
      }
    }
  }

  #delete(slot: number, id: string): Promise<void> {
    return this.#recorded(slot, id, { ends: 'delete' }, async () => {
      await this.#repository.delete(id, this.#useOptions());
      this.#names.end(slot, id);
    });
  }

  #changeId(slot: number, id: string): Promise<void> {
    const { app } = this.#cluster.world;
    const to = this.#names.fresh();
    const graceMs = app() < 0.5 ? Math.ceil(app() * 500) : undefined;
    return this.#recorded(slot, id, { ends: 'change', to, graceMs }, async () => {
      const changed = await this.#repository.changeId(id, to, {
        ...this.#useOptions(),
        ...(graceMs !== undefined && { graceMs }),
      });
      this.#names.end(slot, id, changed ? to : undefined);
    });
  }

  async #mend(id: string): Promise<void> {
    const { world } = this.#cluster;
    try {
      await this.#repository.backups.catchUp(id);
      if ((await this.#repository.verifyBackups(id)).includes('damaged'))
        world.find('backup damaged', `'${id}', seen by ${this.#actor.name}`);
    } catch (error) {
      if (!isExpected(error)) throw error;
    }
  }

  /** Another repository takes over while the other workers go on with the one that closes. */
  async #reopen(): Promise<void> {
    const old = this.#repository;
    this.#repository = this.#open();
    await old.close();
  }

  #change(state: State, key: string): void {
    const { app } = this.#cluster.world;
    state.keys.push(key);
    state.count += 1;
    if (app() < 0.3) state.marks.set(key, { at: state.count });
    if (app() < 0.2) state.text += key;
    if (app() < 0.2) state.when.setTime(state.count); // not seen by the tracker, found by comparing
  }

  #keep(use: RecordedUse, id: string, revision: number, keys: readonly string[], length: number): void {
    use.kept(keys, 'ok', length);
    this.#kept.push({ use, id, revision, keys });
  }

  #key(): string {
    return `${this.#actor.name}.${(this.#keys += 1)}`;
  }

  /** Some uses are without a lock while they run. */
  #modeOptions(retry?: number): ScopeOptions<object> & { readonly create?: undefined } {
    const { world, knobs } = this.#cluster;
    if (world.app() >= knobs.optimistic) return this.#useOptions();
    return { ...this.#useOptions(), mode: 'optimistic', ...(retry !== undefined && { retry }) };
  }

  #useOptions(): AcquireOptions {
    const { world } = this.#cluster;
    const draw = world.app();
    if (draw < 0.2) return { timeoutMs: 1 + world.app() * 60 };
    if (draw > 0.3) return { timeoutMs: 20_000 };
    const controller = new AbortController();
    world.at(1 + world.app() * 60, this.#actor, 'abort', () =>
      controller.abort(Object.assign(new Error('given up'), { name: 'AbortError' })),
    );
    return { timeoutMs: 20_000, signal: controller.signal };
  }
}

/** Processes with a repository, on sessions that only they use. */
export function sessionsOf(cluster: Cluster): Workload {
  const names = new Names('s', cluster.knobs.ids);
  const opened: SessionApplication[] = [];
  const open = (actor: Actor, number: number): SessionApplication => {
    const application = new SessionApplication(cluster, names, actor, number);
    opened.push(application);
    return application;
  };
  let judge: SessionApplication | undefined;
  const asked = (): SessionApplication => (judge ??= open(new Actor('judge'), JUDGE));
  return {
    names,
    primary: () => cluster.configuration.primary,
    open,
    look: (id) => asked().look(id),
    disagreement: (id) => asked().disagreement(id),
    supersede: () => {
      const { primary } = cluster.configuration;
      for (const application of opened) if (application.primary !== primary) application.supersede(primary.name);
    },
  };
}

/** No member has this number. */
const JUDGE = 9;
