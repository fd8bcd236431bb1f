import { ORIGIN } from '../../ts/position.ts';
import type { Append } from '../../ts/store/store.ts';

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
