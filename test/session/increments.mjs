// Increments one counter, over and over, and writes a line for each increment that was acknowledged.
// argv: directory, name, count, 'lazy' | 'access', leaseMs
import { writeSync } from 'node:fs';
import { SessionRepository, defineSession, mutable, openStore } from 'holdfast';

const [dir, name, count, release, leaseMs] = process.argv.slice(2);
const store = await openStore(dir);
const definition = defineSession({ n: mutable(() => 0), marks: mutable(() => []) });
const sessions = new SessionRepository({ store, definition, lock: { release, leaseMs: Number(leaseMs) } });

writeSync(1, 'ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
for (let i = 0; i < Number(count);) {
  const mark = `${name}:${i}`;
  try {
    await sessions.scope(
      'counter',
      (state) => {
        if (state.marks.includes(mark)) return; // an earlier try went through after all
        state.n += 1;
        state.marks.push(mark);
      },
      { create: true, timeoutMs: 30_000 },
    );
    writeSync(1, `${mark}\n`);
    i += 1;
  } catch (error) {
    if (error.code !== 'ERR_FENCED') throw error;
    writeSync(1, `fenced ${mark}\n`); // stopped for longer than the lease: once more
  }
}
await sessions.close();
await store.close();
process.exit(0);
