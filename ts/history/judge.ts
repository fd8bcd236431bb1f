import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { ORIGIN } from '../position.ts';
import type { Store } from '../store/store.ts';
import { check } from './check.ts';
import type { CheckOptions, Final, Verdict } from './check.ts';
import type { Finding, FindingKind } from './finding.ts';
import { mergeMarks, readMarks } from './mark-file.ts';
import { shortHead } from './record.ts';

/** Files of marks in a folder end with it. */
const SUFFIX = '.marks';

/** Where the process `who` writes its history. */
export const historyFile = (folder: string, who: string): string => join(folder, `${who}${SUFFIX}`);

/**
 * What the store `name` holds of a session when nobody writes any more; `keys`: the session's list, where uses were
 * recorded.
 */
export async function readFinal(store: Store, name: string, id: string, keys?: readonly string[]): Promise<Final> {
  const { head } = await store.read(id, { since: ORIGIN, limitBytes: 0 });
  return { store: name, id, wall: systemClock.now(), head: shortHead(head), keys };
}

/** Judges the histories that the processes of one run have left in `folder`. */
export function judge(folder: string, finals: readonly Final[], options?: CheckOptions): Verdict {
  const files = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  return check(mergeMarks(files.map((name) => readMarks(join(folder, name)))), finals, options);
}

/** How often each kind of fault was found. */
export function countKinds(findings: readonly Finding[]): Partial<Record<FindingKind, number>> {
  const counts: Partial<Record<FindingKind, number>> = {};
  for (const { kind } of findings) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
