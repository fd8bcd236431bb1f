import type { Engine } from '../diff/differ.ts';
import { Child } from './child.ts';
import type { ExpectedSession, FromVerifier, Places, PlacedImage, ToVerifier } from './messages.ts';

const BATCH = 16;

export interface VerifyOptions {
  /** Gets a log that lives in the memory of another process. */
  readonly logOf?: ((id: string) => Promise<readonly PlacedImage[]>) | undefined;
  /** Removed by the verifier if this process dies. */
  readonly temporary?: string | undefined;
  readonly engine?: Engine | undefined;
}

/**
 * Has a new process read every session back from every place, and compare. Resolves to what differs, a line each.
 */
export async function verify(
  places: Places,
  binary: readonly string[],
  expected: readonly ExpectedSession[],
  { logOf, temporary, engine }: VerifyOptions = {},
): Promise<string[]> {
  const verifier = new Child<ToVerifier, FromVerifier>('verifier', 'verifier.js', temporary);
  try {
    await verifier.ask({ kind: 'begin', places, binary, engine }, 'ready');
    const failures: string[] = [];
    for (let from = 0; from < expected.length; from += BATCH) {
      const sessions = expected.slice(from, from + BATCH);
      if (logOf !== undefined) for (const { id } of sessions) await verifier.ask({ kind: 'log', logs: await logOf(id) }, 'copied');
      failures.push(...(await verifier.ask({ kind: 'check', sessions }, 'checked')).failures);
    }
    failures.push(...(await verifier.ask({ kind: 'finish' }, 'checked')).failures);
    return failures;
  } finally {
    verifier.kill();
  }
}
