import type { Change } from '../graph/changes.ts';
import { textOf } from '../observe.ts';
import type { Pushed } from '../sync/push.ts';

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
  readonly #pushed: Pushed | undefined;

  /** `revision`: where nothing was sent. */
  constructor(pushed: Pushed | undefined, revision: number) {
    this.revision = pushed?.revision ?? revision;
    this.changed = pushed?.changed ?? [];
    this.bytes = pushed?.recordBytes ?? 0;
    this.kind = pushed?.kind ?? 'nothing';
    this.#pushed = pushed;
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
