import type { Change } from '../graph/changes.ts';
import { textOf } from '../observe.ts';
import type { Pushed } from '../sync/push.ts';
import { notStored } from '../sync/refused.ts';
import type { Replica } from '../sync/replica.ts';
import type { Unsettled } from '../sync/unsettled.ts';

/** What a save did. */
export class Saved {
  /** The session's revision afterwards. */
  readonly revision: number;
  /** Attributes that were written or deleted; `kind` tells whether anything was sent. */
  readonly changed: readonly string[];
  /** Bytes appended to the primary, and to each backup. */
  readonly bytes: number;
  /** `snapshot`: the log was compacted by this save. */
  readonly kind: 'delta' | 'snapshot' | 'nothing';
  /** The primary has it. False: it waits for that in this process's memory, by `outage`; `settled` tells. */
  readonly stored: boolean;
  readonly #pushed: Pushed | undefined;
  readonly #settled: Promise<void> | undefined;

  /** `revision`: where nothing was sent; `settled`: what was saved before is not stored yet. */
  constructor(pushed: Pushed | undefined, revision: number, settled?: Promise<void>) {
    this.stored = settled === undefined;
    this.#settled = settled;
    this.revision = pushed?.revision ?? revision;
    this.changed = pushed?.changed ?? [];
    this.bytes = pushed?.recordBytes ?? 0;
    this.kind = pushed?.kind ?? 'nothing';
    this.#pushed = pushed;
  }

  /**
   * Resolves when the primary has it, and the backups that it waits for. Rejects where another has written first, or
   * this process ends its waiting: then it is lost, or nobody can tell (`outcome`). Nobody has to listen: it is told as
   * an event, too.
   */
  get settled(): Promise<void> {
    return this.#settled ?? Promise.resolve();
  }

  /**
   * What was changed inside the attributes, part by part: each path begins with the attribute's name. Found when it is
   * asked for, at any time; until this object is dropped, it keeps the bytes of what was changed, before and after.
   */
  changes(): Change[] {
    return this.#pushed?.told?.changes() ?? [];
  }
}

/** Is called once a save is in the primary, and in the backups that it waits for. What it returns is not waited for. */
export type OnSaved = (saved: Saved, id: string) => unknown;

/** The same, but what it throws or rejects with is a warning, the first time. */
export function guarded(onSaved: OnSaved): (saved: Saved, id: string) => void {
  let warned = false;
  const warn = (error: unknown): void => {
    if (warned) return;
    warned = true;
    process.emitWarning(
      `onSaved failed: ${textOf(error)}; the save stands; it is called on, and its further failures are not reported`,
      'HoldfastWarning',
    );
  };
  return (saved, id) => {
    try {
      const result = onSaved(saved, id);
      if (typeof result === 'object' && result !== null) void Promise.resolve(result).catch(warn);
    } catch (error) {
      warn(error);
    }
  };
}

/** What a save did, once that is known: `onSaved` is told when it is in the primary. */
export function savedBy(
  pushed: Pushed | undefined,
  { id, head, unsettled }: Replica,
  onSaved: ((saved: Saved, id: string) => void) | undefined,
): Saved {
  const settled = pushed === undefined ? unsettled && followed(unsettled) : pushed.settled;
  const saved = new Saved(pushed, head.revision, settled);
  if (pushed === undefined || onSaved === undefined) return saved;
  if (settled === undefined) onSaved(saved, id);
  else
    settled.then(
      () => onSaved(new Saved(pushed, head.revision), id),
      () => undefined, // it has been told as an event
    );
  return saved;
}

/** Of a save that had nothing to send: what is before it. */
function followed({ id, done }: Unsettled): Promise<void> {
  const settled = done.then((how) => {
    if (how !== 'appended') throw notStored(id);
  });
  settled.catch(() => undefined); // nobody has to listen
  return settled;
}
