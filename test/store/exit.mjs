// Writes to many sessions at once, and exits in the middle of it. argv: directory
import { openStore } from 'holdfast';

const store = await openStore(process.argv[2]);
const under = { member: `writer ${process.pid}`, leaseMs: 30_000, wait: true };
for (let i = 0; i < 16; i += 1) {
  void (async () => {
    let { head } = await store.read(`s${i}`, { since: { revision: 0, nonce: 0 } });
    for (let ticket = 0; ; ticket += 1) {
      const parent = head?.position ?? { revision: 0, nonce: 0 };
      const position = { revision: parent.revision + 1, nonce: process.pid * 1000 + (ticket % 1000) };
      const kind = parent.revision % 20 === 0 ? 'snapshot' : 'delta';
      const answer = await store.append(`s${i}`, {
        parent,
        position,
        kind,
        bytes: Buffer.alloc(100),
        under: { ...under, ticket },
      });
      if (!answer.appended) throw new Error(`append: ${JSON.stringify(answer)}`);
      head = { position };
    }
  })();
}
setTimeout(() => process.exit(3), 100 + Math.random() * 50);
