// Appends a record to session `s`, and prints how many there are, and their bytes; or the code and text of what failed.
// argv: folder, and 'stay' (until it is killed), 'again' (one more on each line of input) or 'accept' (an older state,
// and nothing more)
import { openStore } from 'holdfast';

const [, , dir, then] = process.argv;

async function append(store) {
  const { head, records } = await store.read('s', { since: { revision: 0, nonce: 0 } });
  const parent = head?.position ?? { revision: 0, nonce: 0 };
  const position = { revision: parent.revision + 1, nonce: 7 };
  const answer = await store.append('s', {
    parent,
    position,
    kind: head === undefined ? 'snapshot' : 'delta',
    bytes: Buffer.from('x'),
    under: 0,
    terms: ['visited'],
  });
  if (!answer.appended) throw new Error(JSON.stringify(answer));
  console.log(`${position.revision} ${Buffer.concat([...records, Buffer.from('x')])}`);
}

try {
  const store = await openStore(dir, { acceptOlder: then === 'accept' });
  if (then !== 'accept') await append(store);
  if (then === 'stay') await new Promise((resolve) => setTimeout(resolve, 60_000));
  if (then === 'again')
    process.stdin.on('data', () => append(store).catch((error) => console.log(error.code, error.message)));
  else await store.close();
} catch (error) {
  console.log(error.code, error.message);
}
