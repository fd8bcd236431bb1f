import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Entropy } from '../entropy.ts';
import { randomFrom } from './random.ts';
import type { Random } from './random.ts';

/** The wall clock when a run begins: 14 November 2023. */
const WALL_START_MS = 1_700_000_000_000;
/** Steps that share one turn of the event loop. */
const BATCH = 200;

/** Something that will happen to an actor. Equal times are ordered by a drawn tie: what could race does. */
interface Happening {
  dueMs: number;
  tie: number;
  readonly number: number;
  readonly actor: Actor;
  readonly label: string | undefined;
  run: (() => void) | undefined;
}

/** Whatever can stop, crash, or have its wall clock set: a member's process, a store's machine. */
export class Actor {
  readonly name: string;
  alive = true;
  paused = false;
  wallSkewMs = 0;
  /** What came while it was paused. */
  readonly parked: Happening[] = [];

  constructor(name: string) {
    this.name = name;
  }
}

/** What a run found wrong. */
export interface Finding {
  readonly kind: string;
  readonly detail: string;
}

/**
 * Virtual time, chance by seed, and one list of everything that will happen. A step runs the earliest; the microtasks
 * that it queues are run by Node before the next, always in the same order, for nothing else can have queued any: so a
 * seed is a run, byte for byte.
 */
export class World {
  readonly seed: number;
  readonly order: Random;
  readonly net: Random;
  readonly app: Random;
  readonly chaos: Random;
  readonly #entropy: Random;
  /** Undefined: not kept, for its text costs as much as the run. */
  readonly trace: string[] | undefined;
  readonly findings: Finding[] = [];
  timeMs = 0;
  steps = 0;
  ended = false;
  /** Troubles are made; false: the quiet before the judgement. */
  chaotic = true;
  /** Latest first: the next is at the end, and most that are added are due soon. Some tens wait at a time. */
  readonly #waiting: Happening[] = [];
  #count = 0;

  constructor(seed: number, options: { readonly trace?: boolean } = {}) {
    this.seed = seed;
    this.order = randomFrom(seed, 'order');
    this.net = randomFrom(seed, 'net');
    this.app = randomFrom(seed, 'app');
    this.chaos = randomFrom(seed, 'chaos');
    this.#entropy = randomFrom(seed, 'entropy');
    this.trace = options.trace === true ? [] : undefined;
  }

  /** The true wall clock, which no jump moves. */
  get wallMs(): number {
    return WALL_START_MS + this.timeMs;
  }

  note(who: string, what: () => string): void {
    this.trace?.push(`${this.timeMs.toFixed(3)} ${who} ${what()}`);
  }

  find(kind: string, detail: string): void {
    this.findings.push({ kind, detail });
    this.note('!!', () => `${kind}: ${detail}`);
  }

  /**
   * Runs once, `delayMs` later, as `actor`: not while it is paused, never after it crashed. Without a label the trace
   * has no line for it. Returns a function that cancels.
   */
  at(delayMs: number, actor: Actor, label: string | undefined, run: () => void): () => void {
    const dueMs = Math.round((this.timeMs + Math.max(0, delayMs)) * 1000) / 1000;
    const happening: Happening = { dueMs, tie: this.order(), number: (this.#count += 1), actor, label, run };
    this.#add(happening);
    return () => {
      happening.run = undefined;
    };
  }

  sleep(actor: Actor, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.at(delayMs, actor, undefined, resolve);
    });
  }

  /**
   * All machines share the monotonic clock, as far as anybody may know: its rates agree, its zero is the actor's own.
   */
  clock(actor: Actor): Clock {
    return {
      now: () => this.wallMs + actor.wallSkewMs,
      monotonic: () => this.timeMs,
      after: (delayMs, run) => this.at(delayMs, actor, undefined, run),
    };
  }

  get entropy(): Entropy {
    return {
      fill: (bytes) => {
        for (let i = 0; i < bytes.length; i += 1) bytes[i] = this.#entropy() * 256;
      },
    };
  }

  /** Its promises stay open for ever: whatever would go on with them was to happen to it, and never does. */
  crash(actor: Actor): void {
    actor.alive = false;
    actor.parked.length = 0;
  }

  /** What came meanwhile races anew, as timers, hints and answers do after SIGCONT. */
  resume(actor: Actor): void {
    actor.paused = false;
    for (const happening of actor.parked.splice(0)) {
      happening.dueMs = this.timeMs;
      happening.tie = this.order();
      this.#add(happening);
    }
  }

  /** False: nothing is left. */
  step(): boolean {
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      const { run, actor, label } = next;
      if (run === undefined || !actor.alive) continue;
      this.timeMs = Math.max(this.timeMs, next.dueMs);
      if (actor.paused) {
        actor.parked.push(next);
        continue;
      }
      this.steps += 1;
      if (label !== undefined) this.note(actor.name, () => label);
      run();
      return true;
    }
    return false;
  }

  /** Two runs with equal digests were the same run. Needs the trace. */
  digest(): string {
    return createHash('sha256')
      .update((this.trace ?? []).join('\n'))
      .digest('hex')
      .slice(0, 32);
  }

  #add(happening: Happening): void {
    let place = this.#waiting.length;
    while (place > 0 && !isLater(this.#waiting[place - 1] as Happening, happening)) place -= 1;
    this.#waiting.splice(place, 0, happening);
  }
}

function isLater(a: Happening, b: Happening): boolean {
  return (a.dueMs - b.dueMs || a.tie - b.tie || a.number - b.number) > 0;
}

const realImmediate = setImmediate;

/**
 * Runs a world to its end, or for `limit` steps: each in an immediate of its own, so that the microtasks between two
 * are done.
 */
export function drive(world: World, limit: number): Promise<void> {
  return new Promise((resolve) => {
    let done = false;
    const step = (last: boolean): void => {
      done ||= world.ended || world.steps >= limit || !world.step();
      if (!last) return;
      if (done) resolve();
      else batch();
    };
    const batch = (): void => {
      for (let i = 1; i <= BATCH; i += 1) realImmediate(step, i === BATCH);
    };
    batch();
  });
}
