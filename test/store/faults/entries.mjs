// What the processes of a storm write, so that whoever looks later can tell what is lost, doubled or wrong.
import { isDeepStrictEqual } from 'node:util';

const ORIGIN = { revision: 0, nonce: 0 };
const NONCE = 5;
const SIZE = 100;

/** Says of which session and revision it is. */
export const bodyOf = (name, revision, size = SIZE) => Buffer.alloc(size, `${name}/${revision}/`);

/** Others were in the way, or the machine is slow. */
export const isPassing = ({ code, message }) => code === 'ERR_UNAVAILABLE' && /busy|answered|begun/.test(message);

/** Offered again, the identical record, as long as the store is not to be had. */
export async function append(store, name, revision, { size = SIZE, timeoutMs, tries = Infinity } = {}) {
  const record = {
    parent: revision === 1 ? ORIGIN : { revision: revision - 1, nonce: NONCE },
    position: { revision, nonce: NONCE },
    kind: revision === 1 ? 'snapshot' : 'delta',
    bytes: bodyOf(name, revision, size),
    under: 0,
  };
  for (let left = tries; ; left -= 1) {
    try {
      const answer = await store.append(name, record, timeoutMs === undefined ? {} : { timeoutMs });
      if (!answer.appended) throw new Error(`${name}/${revision}: ${JSON.stringify(answer)}`);
      return;
    } catch (error) {
      if (!isPassing(error) || left <= 1) throw error;
    }
  }
}

const read = async (store, name) => (await store.read(name, { since: ORIGIN })).records.map(Buffer.from);

/** By session: the last revision that was acknowledged. What came after it is the one that was under way at most. */
export async function examine(store, acknowledged) {
  const counts = { acknowledged: 0, there: 0, lost: 0, doubled: 0, wrong: 0 };
  for (const [name, last] of Object.entries(acknowledged)) {
    const bodies = await read(store, name);
    counts.acknowledged += last;
    counts.there += bodies.length;
    counts.lost += Math.max(0, last - bodies.length);
    counts.doubled += Math.max(0, bodies.length - last - 1);
    counts.wrong += bodies.filter((body, at) => !isDeepStrictEqual(body, bodyOf(name, at + 1, body.length))).length;
  }
  counts.wrong += (await store.check()).faults.length;
  return counts;
}
