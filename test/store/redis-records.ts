import { ORIGIN } from '../../ts/position.ts';
import type { Append, Appended, Store } from '../../ts/store/store.ts';

/** Record `revision` of a session: a snapshot, then deltas. */
export const record = (revision: number, more: Partial<Append> = {}): Append => ({
  parent: revision === 1 ? ORIGIN : { revision: revision - 1, nonce: revision - 1 },
  position: { revision, nonce: revision },
  kind: revision === 1 ? 'snapshot' : 'delta',
  bytes: Buffer.from(`r${revision}`),
  under: 0,
  ...more,
});

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when the store answers again. */
export async function answered(store: Store): Promise<void> {
  for (const end = Date.now() + 20_000; ; await sleep(20)) {
    try {
      return void (await store.ping({ timeoutMs: 1000 }));
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

/** Resolves when it holds. */
export async function until(condition: () => boolean | Promise<boolean>, waitMs = 60_000): Promise<void> {
  for (const end = Date.now() + waitMs; !(await condition()); await sleep(20))
    if (Date.now() > end) throw new Error(`it did not come to be within ${waitMs} ms: ${condition.toString()}`);
}

/** The same append again until it is answered, as whoever gets an unknown outcome offers it. */
export async function offered(store: Store, id: string, append: Append): Promise<Appended> {
  let answer: Appended | undefined;
  await until(async () => {
    answer = await store.append(id, append).catch(() => undefined);
    return answer !== undefined;
  });
  return answer as Appended;
}
