import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Compiles or downloads when it is installed, which benches do not let it: there is a binary only where somebody made
 * one.
 */
export async function betterSqlite() {
  try {
    const { default: Database } = await import('better-sqlite3');
    const probe = new Database(':memory:');
    const version = `${require('better-sqlite3/package.json').version}, SQLite ${probe.prepare('SELECT sqlite_version()').pluck().get()}`;
    probe.close();
    return { version, open: (file) => new Database(file, { timeout: 0 }) };
  } catch (cause) {
    const remedy = 'it has no binary for this Node; `npm rebuild better-sqlite3 --prefix bench` makes one';
    throw new Error(`${remedy} (${cause.message.split('\n')[0]})`, { cause });
  }
}

/** Its own, or (Node 20 has none) the package that gives the same API. */
export async function nodeSqlite() {
  const name = process.versions.sqlite === undefined ? '@photostructure/sqlite' : 'node:sqlite';
  const { DatabaseSync } = await import(name);
  const probe = new DatabaseSync(':memory:');
  const { sqlite } = probe.prepare('SELECT sqlite_version() AS sqlite').get();
  probe.close();
  return { version: `${name}, SQLite ${sqlite}`, open: (file) => new DatabaseSync(file, { timeout: 0 }) };
}
