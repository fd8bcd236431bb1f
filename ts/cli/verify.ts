import type { Engine } from '../diff/differ.ts';
import { Child } from './child.ts';
import type { ExpectedSession, FromVerifier, HistoryVerdict, Places, PlacedImage, ToVerifier } from './messages.ts';

const BATCH = 16;

export interface VerifyOptions {
  /** Gets a log that lives in the memory of another process. */
  readonly logOf?: ((id: string) => Promise<readonly PlacedImage[]>) | undefined;
  /** Removed by the verifier if this process dies. */
  readonly temporary?: string | undefined;
  readonly engine?: Engine | undefined;
  /** Where the workers write their histories; they are judged when `ended` has resolved. */
  readonly history?: { readonly folder: string; ended(): Promise<unknown> } | undefined;
}

export interface Verified {
  /** What differs, a line each. */
  readonly failures: readonly string[];
  readonly history: HistoryVerdict | undefined;
}

/**
 * Has a new process read every session back from every place and compare, and judge the workers' histories.
 */
export async function verify(
  places: Places,
  binary: readonly string[],
  expected: readonly ExpectedSession[],
  { logOf, temporary, engine, history }: VerifyOptions = {},
): Promise<Verified> {
  const verifier = new Child<ToVerifier, FromVerifier>('verifier', 'verifier.js', temporary);
  try {
    await verifier.ask({ kind: 'begin', places, binary, engine }, 'ready');
    const failures: string[] = [];
    for (let from = 0; from < expected.length; from += BATCH) {
      const sessions = expected.slice(from, from + BATCH);
      if (logOf !== undefined)
        for (const { id } of sessions) await verifier.ask({ kind: 'log', logs: await logOf(id) }, 'copied');
      failures.push(...(await verifier.ask({ kind: 'check', sessions }, 'checked')).failures);
    }
    await history?.ended();
    const judged = history && (await verifier.ask({ kind: 'judge', folder: history.folder }, 'judged')).history;
    failures.push(...(await verifier.ask({ kind: 'finish' }, 'checked')).failures);
    return { failures, history: judged };
  } finally {
    verifier.kill();
  }
}
