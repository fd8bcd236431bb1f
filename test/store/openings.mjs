// Opens folders, and prints as JSON what became of each: its epoch and, where it appended a record, how
// many there are in session `s`, or code, outcome and text of its failure. argv: '' or 'accept' (an older state) or
// 'append', and folders
import { SqliteStore } from 'holdfast/sqlite';

/** Of a later epoch than any that these folders have. */
const TOKEN = 2 ** 50;
const [how, ...dirs] = process.argv.slice(2);

async function append(store, epoch) {
  const { head } = await store.read('s', { since: { revision: 0, nonce: 0 } });
  const parent = head?.position ?? { revision: 0, nonce: 0 };
  const position = { revision: parent.revision + 1, nonce: 7 };
  const kind = head === undefined ? 'snapshot' : 'delta';
  const { appended } = await store.append('s', {
    parent,
    position,
    kind,
    bytes: Buffer.from('x'),
    under: epoch === 0 ? 0 : TOKEN,
    terms: [],
  });
  if (!appended) throw new Error('nobody else appends');
  return position.revision;
}

async function attempt(dir) {
  try {
    const store = await SqliteStore.open({ dir, acceptOlder: how === 'accept' });
    const { epoch } = await store.ping();
    const records = how === 'append' ? await append(store, epoch) : undefined;
    await store.close();
    return { epoch, records };
  } catch (error) {
    return { name: error.name, code: error.code, outcome: error.outcome, message: error.message };
  }
}

console.log(JSON.stringify(await Promise.all(dirs.map(attempt))));
