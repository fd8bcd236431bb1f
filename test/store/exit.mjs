// Writes to many sessions at once, and exits in the middle of it. argv: directory
import { SessionRepository, defineSession, mutable } from 'holdfast';
import { LmdbStore } from 'holdfast/lmdb';

const store = new LmdbStore({ dir: process.argv[2] });
const sessions = new SessionRepository({ store, definition: defineSession({ n: mutable(() => 0) }) });
for (let i = 0; i < 16; i += 1) {
  void (async () => {
    for (;;) await sessions.scope(`s${i}`, (state) => void (state.n += 1), { timeoutMs: 30_000 });
  })();
}
setTimeout(() => process.exit(3), 100 + Math.random() * 50);
