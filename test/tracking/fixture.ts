import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { HoldfastError, type ErrorCode } from '../../ts/errors.ts';
import type { AttributeClass, SaveMode } from '../../ts/tracking/classes.ts';
import { Tracker, type AttributeSlots } from '../../ts/tracking/tracker.ts';

export class MapSlots implements AttributeSlots {
  readonly values: Map<string, unknown>;

  constructor(values: Record<string, unknown> = {}) {
    this.values = new Map(Object.entries(values));
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  get(name: string): unknown {
    return this.values.get(name);
  }

  set(name: string, value: unknown): void {
    this.values.set(name, value);
  }

  delete(name: string): void {
    this.values.delete(name);
  }

  names(): string[] {
    return [...this.values.keys()];
  }
}

// oxlint-disable-next-line no-explicit-any -- tests reach into the state as an application without types does
export type Loose = any;

export interface Fixture {
  readonly tracker: Tracker;
  readonly slots: MapSlots;
  readonly s: Loose;
}

export interface FixtureOptions {
  readonly saveMode?: SaveMode;
  readonly classes?: Readonly<Record<string, AttributeClass>>;
  /** Class of all that is not in `classes`; null: not declared. */
  readonly others?: AttributeClass | null;
}

export function track(values: Record<string, unknown> = {}, options: FixtureOptions = {}): Fixture {
  const slots = new MapSlots(values);
  const others = options.others === undefined ? 'mutable' : (options.others ?? undefined);
  const classes = new Map(Object.entries(options.classes ?? {}));
  const tracker = new Tracker(slots, {
    saveMode: options.saveMode ?? 'write',
    classOf: (name) => classes.get(name) ?? others,
  });
  return { tracker, slots, s: tracker.state };
}

export function encoded(slots: MapSlots, name: string): string {
  return slots.has(name) ? Buffer.from(msgpackCodec.encode(slots.get(name), name)).toString('hex') : 'absent';
}

/** The value as another process would have it. */
export const readBack = (slots: MapSlots, name: string): Loose =>
  msgpackCodec.decode(msgpackCodec.encode(slots.get(name), name));

export function thrown(run: () => unknown): HoldfastError {
  try {
    run();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export function expectCode(run: () => unknown, code: ErrorCode): HoldfastError {
  const error = thrown(run);
  if (error.code !== code) throw error;
  return error;
}

/** As if all that was touched were saved. */
export function settle(tracker: Tracker): void {
  const capture = tracker.capture();
  for (const name of capture.touched) tracker.splice(name, undefined, false);
  tracker.settle(capture);
}
