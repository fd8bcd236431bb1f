import { HoldfastError } from '../errors.ts';
import type { PlantedStore } from '../history/planted.ts';
import type { Append, CallOptions, Hint, ImageRecord, Membership, SessionImage, Store } from '../store/store.ts';
import type { Knobs } from './knobs.ts';
import { Actor } from './world.ts';
import type { World } from './world.ts';

/** Where a store runs. */
export class Machine extends Actor {
  readonly store: Store | PlantedStore;
  /** Grows with each restart: what was on its way to an earlier one is lost. */
  run = 0;

  /** `make` gets the machine's own clock by way of it. */
  constructor(name: string, make: (machine: Machine) => Store | PlantedStore) {
    super(name);
    this.store = make(this);
  }

  /** What is stored stays (unless it has a fault there); what was on its way is lost. */
  restart(): void {
    this.run += 1;
    if ('restarted' in this.store) this.store.restarted();
  }
}

type Via = <T>(op: string, id: string, options: CallOptions | undefined, ask: () => Promise<T>) => Promise<T>;

/** How a request fares; drawn before it is sent, so that the same seed gives the same weather whatever is asked. */
interface Fate {
  readonly lost: boolean;
  readonly late: boolean;
  readonly twice: boolean;
  readonly answerLost: boolean;
}

const LOCKING_APPEND = 'lock and append';
/** What nobody may carry out twice behind the caller's back: the second time it does something else. */
const ONCE: ReadonlySet<string> = new Set(['join', 'promote', 'replace', LOCKING_APPEND]);
const FAIR: Fate = { lost: false, late: false, twice: false, answerLost: false };

/**
 * Between actors and machines: every request, answer and hint is a happening of its own. Requests are lost before or
 * after they took effect, delayed past their senders' patience, doubled, overtaken; hints likewise.
 */
export class Network {
  readonly #world: World;
  readonly #knobs: Knobs;
  readonly #cuts = new Set<string>();
  readonly #resyncs: (() => void)[] = [];
  calls = 0;

  constructor(world: World, knobs: Knobs) {
    this.#world = world;
    this.#knobs = knobs;
  }

  /** Nothing passes between the two, or between `one` and anybody, until `mend`. */
  cut(one: Actor, other?: Actor): void {
    this.#cuts.add(pair(one, other));
  }

  /** Members that were cut off may be told that hints were lost. */
  mend(one: Actor, other?: Actor): void {
    if (!this.#cuts.delete(pair(one, other))) return;
    for (const resync of this.#resyncs) resync();
  }

  mendAll(): void {
    this.#cuts.clear();
  }

  isCut(one: Actor, other: Actor): boolean {
    if (this.#cuts.size === 0) return false;
    return [pair(one, other), pair(other, one), pair(one), pair(other)].some((name) => this.#cuts.has(name));
  }

  /** The store of `machine`, as `actor` sees it. */
  link(actor: Actor, machine: Machine): Store {
    const { store } = machine;
    const via: Via = (op, id, options, ask) =>
      new Call(this, this.#world, this.#knobs, actor, machine, op, id, ask).send(options);
    return {
      address: machine.name,
      can: store.can,
      read: (id, request, options) => via('read', id, options, () => store.read(id, request)),
      append: (id, append, options) => {
        const sent = copied(append);
        return via(typeof sent.under === 'number' ? 'append' : LOCKING_APPEND, id, options, () =>
          store.append(id, sent),
        );
      },
      replace: (id, image, expected, options) => {
        const sent = copiedImage(image);
        return via('replace', id, options, () => store.replace(id, sent, expected));
      },
      lock: (id, request, options) => via('lock', id, options, () => store.lock(id, request)),
      unlock: (id, who, options) => via('unlock', id, options, () => store.unlock(id, who)),
      touch: (id, touch, options) => via('touch', id, options, () => store.touch(id, touch)),
      join: async (listener, options) =>
        this.#membership(await via('join', '', options, () => store.join(this.#hints(actor, machine, listener))), via),
      list: (query, options) => via('list', '', options, () => store.list(query)),
      inspect: (id, options) => via('inspect', id, options, () => store.inspect(id)),
      sweep: (request, options) => via('sweep', '', options, () => store.sweep(request)),
      promote: (above, options) => via('promote', '', options, () => store.promote(above)),
      ping: (options) => via('ping', '', options, () => store.ping()),
      close: async () => undefined,
    };
  }

  latencyMs(): number {
    const { net, chaotic } = this.#world;
    const slow = chaotic && net() < 0.1 ? 10 : 1;
    return slow * this.#knobs.latencyMs * net();
  }

  fate(op: string): Fate {
    const { net, chaotic } = this.#world;
    if (!chaotic) return FAIR;
    const { lossBefore, late, duplicates, lossAfter } = this.#knobs;
    return {
      lost: net() < lossBefore,
      late: net() < late,
      twice: net() < duplicates && !ONCE.has(op),
      answerLost: net() < lossAfter,
    };
  }

  #membership({ member, epoch, watch, leave }: Membership, via: Via): Membership {
    return {
      member,
      epoch,
      watch: (ids, options) => via('watch', '', options, () => watch(ids)),
      leave: () => via('leave', '', undefined, () => leave()),
    };
  }

  #hints(actor: Actor, machine: Machine, listener: (hint: Hint) => void): (hint: Hint) => void {
    const world = this.#world;
    const deliver = (delayMs: number, hint: Hint): void =>
      void world.at(delayMs, actor, `hint ${showHint(hint)}`, () => listener(hint));
    this.#resyncs.push(() => {
      if (world.chaotic && world.net() < 0.5) deliver(this.latencyMs(), { kind: 'resync' });
    });
    return (hint) => {
      const draw = world.chaotic ? world.net() : 0.5;
      if (this.isCut(actor, machine) || (world.chaotic && world.net() < this.#knobs.hintLoss)) return;
      deliver(draw > 0.8 ? 20 * this.latencyMs() : this.latencyMs(), hint);
      if (draw > 0.9) deliver(20 * this.latencyMs(), hint);
    };
  }
}

/** One request and what becomes of it. */
class Call<T> {
  readonly #network: Network;
  readonly #world: World;
  readonly #knobs: Knobs;
  readonly #actor: Actor;
  readonly #machine: Machine;
  readonly #label: string;
  readonly #ask: () => Promise<T>;
  readonly #fate: Fate;
  readonly #run: number;
  #settled = false;
  /** Is not carried out again: what was fed too early would come true later, behind its sender's back. */
  #refused = false;
  #resolve: (value: T) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(
    network: Network,
    world: World,
    knobs: Knobs,
    actor: Actor,
    machine: Machine,
    op: string,
    id: string,
    ask: () => Promise<T>,
  ) {
    this.#network = network;
    this.#world = world;
    this.#knobs = knobs;
    this.#actor = actor;
    this.#machine = machine;
    network.calls += 1;
    this.#label = `${machine.name}.${op}#${network.calls}${id === '' ? '' : ` ${id}`}`;
    this.#ask = ask;
    this.#fate = network.fate(op);
    this.#run = machine.run;
  }

  send(options: CallOptions = {}): Promise<T> {
    const { signal } = options;
    const patienceMs = options.timeoutMs ?? this.#knobs.patienceMs;
    const answer = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal?.aborted === true) this.#fail('aborted before it was sent', 'none');
    else if (patienceMs < 0) this.#fail('its time was over before it was sent', 'none');
    else this.#depart(patienceMs, signal);
    return answer;
  }

  #depart(patienceMs: number, signal: AbortSignal | undefined): void {
    const network = this.#network;
    const patient = patienceMs > 0;
    if (patient) this.#world.at(patienceMs, this.#actor, undefined, () => this.#fail('no answer in time', 'unknown'));
    signal?.addEventListener('abort', () => this.#fail('aborted', 'unknown'), { once: true });
    if (this.#fate.lost || network.isCut(this.#actor, this.#machine)) {
      // Refused at once, or swallowed.
      if (!patient || this.#world.net() < 0.5)
        this.#later(this.#actor, 'refused', () => this.#fail('connection refused', 'none'));
      return;
    }
    const delayMs = this.#fate.late && patient ? patienceMs * (0.8 + 3 * this.#world.net()) : network.latencyMs();
    this.#world.at(delayMs, this.#machine, `run ${this.#label}`, () => this.#arrive());
    if (this.#fate.twice)
      this.#world.at(delayMs + 20 * network.latencyMs(), this.#machine, `run again ${this.#label}`, () =>
        this.#arriveAgain(),
      );
  }

  #arrive(): void {
    if (!this.#reaches()) return this.#reset();
    this.#ask().then(
      (value) => {
        this.#refused = isRefusal(value);
        this.#answer(() => this.#end(() => this.#resolve(value)));
      },
      (error: unknown) => this.#answer(() => this.#end(() => this.#reject(error))),
    );
  }

  #arriveAgain(): void {
    if (this.#reaches() && !this.#refused) this.#ask().catch(() => undefined);
  }

  /** A sender that has died, or a machine that has been started anew, may have taken the request with it. */
  #reaches(): boolean {
    if (this.#machine.run !== this.#run) return false;
    return this.#actor.alive || this.#world.net() < 0.5;
  }

  #answer(deliver: () => void): void {
    if (this.#fate.answerLost || this.#network.isCut(this.#actor, this.#machine)) {
      if (this.#knobs.patienceMs === 0 || this.#world.net() < 0.5) this.#reset();
      return;
    }
    this.#later(this.#actor, 'answered', deliver);
  }

  #reset(): void {
    this.#later(this.#actor, 'reset', () => this.#fail('connection reset', 'unknown'));
  }

  #later(actor: Actor, what: string, run: () => void): void {
    this.#world.at(this.#network.latencyMs(), actor, `${what} ${this.#label}`, run);
  }

  #fail(why: string, outcome: 'none' | 'unknown'): void {
    this.#end(() => this.#reject(new HoldfastError('ERR_UNAVAILABLE', `${this.#label}: ${why}`, { outcome })));
  }

  #end(settle: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    settle();
  }
}

const isRefusal = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'appended' in value && value.appended === false;
const pair = (one: Actor, other?: Actor): string => `${one.name}/${other?.name ?? ''}`;

/** The network has bytes of its own: a buffer that the sender uses again does not change what is under way. */
const copied = (append: Append): Append => ({ ...append, bytes: new Uint8Array(append.bytes) });
const copiedRecord = (record: ImageRecord): ImageRecord => ({ ...record, bytes: new Uint8Array(record.bytes) });
const copiedImage = (image: SessionImage): SessionImage => ({ ...image, records: image.records.map(copiedRecord) });

function showHint(hint: Hint): string {
  if (hint.kind === 'resync' || hint.kind === 'lost') return hint.kind;
  return hint.kind === 'changed' ? `changed ${hint.id}` : `${hint.kind} ${hint.id} t${hint.token}`;
}
