import type { SqlRow } from './sqlite-driver.ts';
import { damaged } from './sqlite-error.ts';

type Column = SqlRow[string] | undefined;

/** A column that is not what it should be is damage, to be told as such. */
export function blob(value: Column): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw damaged('a column that holds bytes holds something else');
}

export function whole(value: Column): bigint {
  if (typeof value === 'bigint' && value >= 0n) return value;
  throw damaged('a column that holds a whole number holds something else');
}

/** Of a statement that answers with one. */
export const single = (rows: readonly SqlRow[]): number => Number(whole(Object.values(rows[0] ?? {})[0]));
