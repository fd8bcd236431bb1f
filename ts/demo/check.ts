// A process that took no part: reads the primary and the backup, and checks them against what was acknowledged.
import { isDeepStrictEqual } from 'node:util';
import type { Final } from '../history/check.ts';
import { judge, readFinal } from '../history/judge.ts';
import { SessionRepository, openStore } from '../index.ts';
import type { Store } from '../index.ts';
import { shop } from './shop.ts';
import type { Profile, Shop } from './shop.ts';
import type { Acknowledged } from './user.ts';

export interface CheckOrder {
  /** Addresses of openStore. */
  readonly primaryUrl: string;
  readonly backupUrl: string;
  /** Where the servers have written down what they asked of the stores. */
  readonly historyDir: string;
  readonly users: readonly { readonly name: string; readonly acknowledged: readonly Acknowledged[] }[];
}

export interface CheckReport {
  readonly acknowledged: number;
  /** Acknowledged, and not in the session. */
  readonly lost: number;
  /** Done more than once. */
  readonly doubled: number;
  /** Sessions whose content is not what the acknowledged changes make of it. */
  readonly wrong: number;
  /** Sessions that differ between the primary and the backup. */
  readonly unequal: number;
  readonly sessions: number;
  /** Appends that the stores acknowledged, by the servers' histories, and whatever these show to be wrong. */
  readonly appends: number;
  readonly findings: readonly string[];
}

async function check({ primaryUrl, backupUrl, historyDir, users }: CheckOrder): Promise<CheckReport> {
  const stores = await Promise.all([openStore(primaryUrl), openStore(backupUrl)]);
  const [primary, backup] = stores.map((store) => new SessionRepository({ store, definition: shop }));
  const report = { acknowledged: 0, lost: 0, doubled: 0, wrong: 0, unequal: 0, sessions: users.length };
  for (const { name, acknowledged } of users) {
    const state = await primary?.read(name);
    if (!isDeepStrictEqual(state, await backup?.read(name))) report.unequal += 1;
    report.acknowledged += acknowledged.length;
    const times = countBy((state?.history ?? []).map(({ request }) => request));
    report.lost += acknowledged.filter(({ request }) => !times.has(request)).length;
    report.doubled += [...times.values()].filter((count) => count > 1).length;
    if (!isRight(state, acknowledged)) report.wrong += 1;
  }
  const finals = await Promise.all(users.flatMap(({ name }) => finalsOf(name, stores)));
  await Promise.all(stores.map((store) => store.close()));
  const { counts, findings } = judge(historyDir, finals);
  return {
    ...report,
    appends: counts.acknowledged,
    findings: findings.map(({ kind, id, detail }) => `${kind}: ${id}: ${detail}`),
  };
}

const finalsOf = (name: string, [primary, backup]: readonly [Store, Store]): Promise<Final>[] => [
  readFinal(primary, 'primary', name),
  readFinal(backup, 'backup', name),
];

/** Requests were sent one after the other and until acknowledged, so they determine the session. */
function isRight(state: Shop | undefined, acknowledged: readonly Acknowledged[]): boolean {
  const cart = countBy(acknowledged.flatMap(({ article }) => article ?? []));
  const profile = Object.assign({}, ...acknowledged.map((change) => change.profile)) as Record<string, string>;
  return (
    state !== undefined &&
    state.history.length === acknowledged.length &&
    isDeepStrictEqual(state.cart, Object.fromEntries(cart)) &&
    Object.entries(profile).every(([field, value]) => state.profile?.[field as keyof Profile] === value)
  );
}

function countBy(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

process.once('message', (order) => {
  void check(order as CheckOrder).then((report) => process.send?.(report, () => process.exit(0)));
});
process.on('disconnect', () => process.exit(1));
