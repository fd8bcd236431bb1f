import type { Touch } from '../store/store.ts';
import type { CatchUp, Fed } from './copy.ts';

/** What is to be done for one session. */
export interface Plan {
  readonly record?: Fed;
  /** Another session that must be here first. */
  readonly after?: string | undefined;
  readonly catchUp?: CatchUp;
  readonly touch?: Touch;
}

/** One plan at work per session, and one that waits; what comes meanwhile is merged into the latter. */
interface Queue {
  last: Promise<void>;
  next: { plan: Plan; readonly done: Promise<void> } | undefined;
}

/** What is to be done in one backup, session by session. */
export class Plans {
  readonly #queues = new Map<string, Queue>();
  readonly #perform: (id: string, plan: Plan) => Promise<void>;

  constructor(perform: (id: string, plan: Plan) => Promise<void>) {
    this.#perform = perform;
  }

  /** Does it once what was asked for before is done or has failed. */
  add(id: string, plan: Plan): Promise<void> {
    const queue: Queue = this.#queues.get(id) ?? { last: Promise.resolve(), next: undefined };
    if (queue.next !== undefined) {
      queue.next.plan = merged(queue.next.plan, plan);
      return queue.next.done;
    }
    const next: NonNullable<Queue['next']> = {
      plan,
      done: queue.last.then(() => {
        queue.next = undefined; // at work: what comes now is for the next
        return this.#perform(id, next.plan);
      }),
    };
    queue.next = next;
    const last = next.done
      .catch(() => undefined)
      .then(() => {
        if (queue.last === last) this.#queues.delete(id);
      });
    queue.last = last;
    this.#queues.set(id, queue);
    return next.done;
  }

  /** Resolves when what was asked for of a session until now is done, or has failed. Undefined: nothing was. */
  last(id: string): Promise<void> | undefined {
    return this.#queues.get(id)?.last;
  }

  /**
   * Resolves when nothing that was asked for is on its way any more. Waits once for each session: one may be saved on
   * and on.
   */
  async drain(): Promise<void> {
    const waitedFor = new Set<string>();
    for (;;) {
      const left = [...this.#queues].filter(([id]) => !waitedFor.has(id));
      if (left.length === 0) return;
      for (const [id] of left) waitedFor.add(id);
      await Promise.all(left.map(([, { last }]) => last));
    }
  }
}

const DEPTHS: Record<CatchUp, number> = { shallow: 0, deep: 1, overwrite: 2 };

/**
 * More than one thing in wait is a gap to be filled by then, rule included: no bytes need be kept, and no order among
 * them.
 */
function merged(a: Plan, b: Plan): Plan {
  const catchUp =
    [a.catchUp, b.catchUp].flatMap((how) => how ?? []).toSorted((x, y) => DEPTHS[y] - DEPTHS[x])[0] ?? 'shallow';
  const touches = [a.touch, b.touch].flatMap((touch) => touch ?? []);
  const token = Math.max(...touches.map((touch) => touch.token));
  return { catchUp, after: b.after ?? a.after, ...(touches.length > 0 && { touch: { token } }) };
}
