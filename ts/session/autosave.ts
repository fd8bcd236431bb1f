import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Observers } from '../observe.ts';

export interface AutosaveOptions {
  /** Ms from one look at an open session to the next. */
  readonly everyMs: number;
}

/** What is saved now and then. */
interface Saved {
  readonly id: string;
  readonly closed: boolean;
  tracked(): readonly string[];
  save(): Promise<unknown>;
}

/**
 * Saves an open session every so often if it was touched, until it ends. Held weakly: one that its user has forgotten
 * is let go, and told of. A save that fails is an event; the next is tried in its turn.
 */
export function autosave(session: Saved, { everyMs }: AutosaveOptions, clock: Clock, observers: Observers): void {
  const held = new WeakRef(session);
  const look = async (): Promise<void> => {
    const found = held.deref();
    if (found === undefined || found.closed) return;
    if (found.tracked().length > 0) {
      await found.save().catch((error: unknown) => {
        const code = error instanceof HoldfastError ? error.code : undefined;
        const message = error instanceof Error ? error.message : String(error);
        if (code !== 'ERR_CLOSED') observers.emit('autosave-error', () => ({ id: found.id, code, message }));
      });
    }
    clock.after(everyMs, () => void look(), true);
  };
  clock.after(everyMs, () => void look(), true);
}
