import { Child } from './child.ts';
import type { ExpectedSession, FromVerifier, Places, RawLog, ToVerifier } from './messages.ts';

const BATCH = 16;

/**
 * Has a new process read every session back from every place, and compare. Resolves to what differs, a line each.
 * `logOf`: where the logs are in the memory of a process that others cannot read.
 */
export async function verify(
  places: Places,
  binary: readonly string[],
  expected: readonly ExpectedSession[],
  logOf?: (id: string) => Promise<readonly RawLog[]>,
): Promise<string[]> {
  const verifier = new Child<ToVerifier, FromVerifier>('verifier', 'verifier.js');
  try {
    await verifier.ask({ kind: 'begin', places, binary }, 'ready');
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
