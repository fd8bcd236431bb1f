// Waits for the lock of a session that another process has, then reads and appends. argv: folder
import { openStore } from 'holdfast';

const store = await openStore(process.argv[2]);
let hear;
const heard = new Promise((resolve) => (hear = resolve));
const { member } = await store.join(({ kind }) => hear(kind));
const request = { member, ticket: 1, leaseMs: 10_000, wait: true, since: { revision: 0, nonce: 0 } };
const first = await store.lock('s', request);
console.log(first.granted ? 'has it' : 'waits');
const patience = setTimeout(() => process.exit(1), 20_000); // hints keep no process alive
console.log(await heard);
clearTimeout(patience);
const { token, tail } = await store.lock('s', request);
console.log(Buffer.from(tail.records[0]).toString());
const position = { revision: 2, nonce: 9 };
const answer = await store.append('s', {
  parent: tail.head.position,
  position,
  kind: 'delta',
  bytes: Buffer.from('theirs'),
  under: token,
});
console.log(answer.appended ? 'appended' : 'refused');
await store.close();
