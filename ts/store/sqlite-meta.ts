import type { Marks } from './backend.ts';
import type { SqliteDriver, SqlRow } from './sqlite-driver.ts';
import { damaged, otherLayout } from './sqlite-error.ts';
import { sealMeta } from './sqlite-seal.ts';
import { BIRTHS_KEY, COMMITS_KEY, EPOCH_KEY, FORMAT, FORMAT_KEY, SQL } from './sqlite-sql.ts';

const NAMES: Readonly<Record<number, string>> = {
  [FORMAT_KEY]: 'layout',
  [EPOCH_KEY]: 'epoch',
  [BIRTHS_KEY]: 'mark of births',
  [COMMITS_KEY]: 'count of commits',
};

/** What nobody may rest on is refused. */
function sealed(row: SqlRow | undefined, key: number): number {
  const { key: found, value, sum } = row ?? {};
  if (found === BigInt(key) && typeof value === 'bigint' && sealMeta(found, value) === sum) return Number(value);
  throw damaged(`its ${NAMES[key]} fails its checksum`);
}

/** `ERR_INVALID`: it is another than is read here. */
export function checkLayout(driver: SqliteDriver, path: string): void {
  const found = sealed(driver.all(SQL.layout, FORMAT_KEY)[0], FORMAT_KEY);
  if (found !== FORMAT) throw otherLayout(path, found);
}

/** In one statement, for each transaction asks. */
export function marksAndCommits(driver: SqliteDriver): Marks & { readonly commits: number } {
  const [epoch, births, commits] = driver.all(SQL.metas, EPOCH_KEY, COMMITS_KEY);
  return {
    epoch: sealed(epoch, EPOCH_KEY),
    births: sealed(births, BIRTHS_KEY),
    commits: sealed(commits, COMMITS_KEY),
  };
}

export function setMeta(driver: SqliteDriver, key: number, value: number): void {
  driver.run(SQL.setMeta, key, value, sealMeta(BigInt(key), BigInt(value)));
}
