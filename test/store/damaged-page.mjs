// Destroys the page that holds a record of session `a05`, or its row, and prints what becomes of calls that are made at
// once: `<what>: <sessions>`. Those whose names begin with `z` are on other pages. argv: folder, and 'records' (appends
// to `a05` and those far away) or 'rows' (looks at `a05` and one far away)
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteStore } from 'holdfast/sqlite';

const [, , dir, what] = process.argv;
const PAGE = 4096;
/** Of a page of rows, which lie in the order of their ids, and of one of records, which lie as they came. */
const LEAF = what === 'rows' ? 10 : 13;
const ids = [...'az'].flatMap((letter) =>
  Array.from({ length: 40 }, (_, i) => `${letter}${String(i).padStart(2, '0')}`),
);

function append(store, id, revision) {
  const parent = { revision: revision - 1, nonce: revision === 1 ? 0 : 5 };
  return store.append(id, {
    parent,
    position: { revision, nonce: 5 },
    kind: 'snapshot',
    bytes: Buffer.alloc(2500, 7),
    under: 0,
  });
}

function damage() {
  const path = join(dir, 'store.sqlite');
  const bytes = readFileSync(path);
  for (let at = PAGE; at < bytes.length; at += PAGE) {
    const page = bytes.subarray(at, at + PAGE);
    if (page[0] === LEAF && page.includes('a05') && (what !== 'rows' || page.includes('[1,'))) page.fill(0xee, 0, 12);
  }
  writeFileSync(path, bytes);
}

const filled = await SqliteStore.open({ dir });
for (const id of ids) await append(filled, id, 1);
await filled.close();
damage();
const store = await SqliteStore.open({ dir });
const calls =
  what === 'rows'
    ? ['z39', 'a05'].map((id) => [id, store.inspect(id)])
    : ids
        .slice(40)
        .toSpliced(20, 0, 'a05')
        .map((id) => [id, append(store, id, 2)]);
const seen = {};
for (const [id, call] of calls) {
  const came = await call.then(
    () => 'fine',
    (error) => `${error.code} ${error.outcome}`,
  );
  (seen[came] ??= []).push(id);
}
for (const [came, which] of Object.entries(seen)) console.log(`${came}: ${which.length > 1 ? which.length : which[0]}`);
await store.close();
