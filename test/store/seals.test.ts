import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../ts/clock.ts';
import { findModule } from '../../ts/store/sqlite-driver.ts';
import { SqliteGround } from '../../ts/store/sqlite-ground.ts';
import type { Answer, Writing } from '../../ts/store/sqlite-wire.ts';
import { newFolder } from '../folders.ts';

/** What the crate's own `tests/seals.rs` shows of the addon, of the way without it. */
const MODULE = '@photostructure/sqlite';
const { DatabaseSync } = createRequire(import.meta.url)(MODULE) as {
  DatabaseSync: new (path: string) => {
    exec(sql: string): void;
    prepare(sql: string): {
      run(...values: unknown[]): void;
      get(...values: unknown[]): Record<string, unknown>;
      setReadBigInts(on: boolean): void;
    };
    close(): void;
  };
};
type Value = bigint | Uint8Array | string;

const soon = (): number => systemClock.monotonic() + 10_000;
const openGround = (dir: string): SqliteGround => new SqliteGround(findModule(MODULE), dir, false, soon());

const MARKS = { epoch: 5, births: 9 };
const draft = (id: string, term: string): Writing => ({
  kind: 'draft',
  id,
  version: undefined,
  next: 3,
  marks: MARKS,
  cleared: false,
  changes: [{ op: 'put', revision: 1, record: { nonce: 7, bytes: Buffer.from(`record of ${id}`) } }],
  row: 'row',
  allTerms: false,
  lostTerms: [],
  newTerms: [term],
  flush: true,
});

/** Two sessions with each of two terms; closed. */
function made(): string {
  const dir = join(newFolder(), 'store');
  const ground = openGround(dir);
  const raise: Writing = { kind: 'raise', expected: { epoch: 0, births: 0 }, next: MARKS };
  const drafts = ['a', 'b', 'c', 'd'].map((id, index) => draft(id, index % 2 === 0 ? 'even' : 'odd'));
  expect(ground.write([raise, ...drafts], soon())).toEqual([true, true, true, true, true]);
  ground.close();
  return dir;
}

function sql<T>(dir: string, run: (database: InstanceType<typeof DatabaseSync>) => T): T {
  const database = new DatabaseSync(join(dir, 'store.sqlite'));
  try {
    return run(database);
  } finally {
    database.close();
  }
}

function get(dir: string, query: string): Value {
  return sql(dir, (database) => {
    const statement = database.prepare(query);
    statement.setReadBigInts(true);
    return Object.values(statement.get())[0] as Value;
  });
}

const set = (dir: string, statement: string, value: Value): void =>
  sql(dir, (database) => database.prepare(statement).run(value));

/** Some bits of a number, all of the bytes; and something that is neither. */
function flips(value: Value): Value[] {
  if (typeof value === 'bigint')
    return [...[0n, 1n, 20n, 40n, 63n].map((bit) => BigInt.asIntN(64, value ^ (1n << bit))), 'no number'];
  const bytes = Buffer.from(value as Uint8Array);
  return [
    ...Array.from(bytes, (_, at) => Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 4 : byte)))),
    'no bytes',
  ];
}

function thrownBy(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}

const corrupt = (what: RegExp): object =>
  expect.objectContaining({
    code: 'ERR_CORRUPT',
    outcome: 'none',
    message: expect.stringMatching(what) as string,
  }) as object;

const listed = (ground: SqliteGround, term: string): string[] => {
  const answer = ground.read({ kind: 'page', query: { term, limit: 10 } }, soon());
  return answer.kind === 'page' ? [...answer.page.rows.keys()] : [];
};
const faultsOf = (ground: SqliteGround): readonly string[] => {
  const answer = ground.read({ kind: 'check' }, soon());
  return answer.kind === 'checked' ? answer.checked.faults : ['no answer'];
};
const fetched = (ground: SqliteGround, id: string): Extract<Answer, { kind: 'found' }>['found'] => {
  const answer = ground.read({ kind: 'fetch', id, from: 0, limitBytes: Infinity }, soon());
  if (answer.kind !== 'found') throw new Error(answer.kind);
  return answer.found;
};

describe('without the addon, what is changed behind the back of the store is said:', () => {
  it.each([
    [1, 'layout'],
    [2, 'epoch'],
    [3, 'mark of births'],
    [4, 'count of commits'],
  ])('number %i of the whole store, its %s', (key, name) => {
    const dir = made();
    for (const column of ['value', 'sum']) {
      const whole = get(dir, `SELECT ${column} FROM meta WHERE key=${key}`);
      const change = `UPDATE meta SET ${column}=? WHERE key=${key}`;
      for (const flipped of flips(whole)) {
        set(dir, change, flipped);
        expect(thrownBy(() => openGround(dir))).toEqual(
          corrupt(new RegExp(`damaged \\(its ${name} fails its checksum\\)`)),
        );
      }
      set(dir, change, whole);
    }
    sql(dir, (database) => database.exec(`DELETE FROM meta WHERE key=${key}`));
    expect(thrownBy(() => openGround(dir))).toEqual(corrupt(/fails its checksum/));
  });

  it('one of them while the store is open', () => {
    const dir = made();
    const ground = openGround(dir);
    for (const key of [2, 3, 4]) {
      sql(dir, (database) => database.exec(`UPDATE meta SET value=value+1 WHERE key=${key}`));
      for (const call of [
        () => fetched(ground, 'a'),
        () => listed(ground, 'even'),
        () => faultsOf(ground),
        () => ground.write([draft('e', 'even')], soon()),
        () => ground.write([{ kind: 'raise', expected: MARKS, next: { epoch: 9, births: 9 } }], soon()),
      ])
        expect(thrownBy(call)).toEqual(corrupt(/fails its checksum/));
      sql(dir, (database) => database.exec(`UPDATE meta SET value=value-1 WHERE key=${key}`));
    }
    expect([fetched(ground, 'a').marks, fetched(ground, 'e').row]).toEqual([MARKS, undefined]);
    expect(ground.write([draft('e', 'even')], soon())).toEqual([true]);
    ground.close();
  });

  it.each(['term', 'id', 'sum'])('the %s of an entry of the lookup', (column) => {
    const dir = made();
    const ground = openGround(dir);
    expect([listed(ground, 'even'), faultsOf(ground)]).toEqual([['a', 'c'], []]);
    const whole = get(dir, `SELECT ${column} FROM term WHERE id=x'61'`);
    for (const flipped of flips(whole)) {
      sql(dir, (database) => database.exec('DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT * FROM term'));
      set(dir, `UPDATE term SET ${column}=? WHERE id=x'61'`, flipped);
      const list = ((): readonly string[] | 'said' => {
        try {
          return listed(ground, 'even');
        } catch (error) {
          expect(error).toEqual(corrupt(/lookup fails its checksum/));
          return 'said';
        }
      })();
      // The entry may have moved elsewhere: who lists by the term cannot know.
      if (list !== 'said') expect([list, column === 'term' || typeof flipped === 'string']).toEqual([['c'], true]);
      expect(faultsOf(ground)).toEqual(['an entry of its lookup fails its checksum']);
      sql(dir, (database) => database.exec('DELETE FROM term; INSERT INTO term SELECT * FROM kept'));
    }
    expect(listed(ground, 'even')).toEqual(['a', 'c']);
    ground.close();
  });

  it('an entry that is gone, and one of a session that is', () => {
    const dir = made();
    const ground = openGround(dir);
    const lookUp = (id: string): unknown => ground.read({ kind: 'lookUp', id, terms: ['even', 'odd'] }, soon());
    expect(lookUp('a')).toEqual({ kind: 'lookedUp', lookedUp: { version: 3, missing: ['odd'] } });
    expect(lookUp('z')).toEqual({ kind: 'lookedUp', lookedUp: { version: undefined, missing: ['even', 'odd'] } });
    sql(dir, (database) => database.exec(`DELETE FROM term WHERE id=x'61'; DELETE FROM session WHERE id=x'63'`));
    expect(lookUp('a')).toEqual({ kind: 'lookedUp', lookedUp: { version: 3, missing: ['even', 'odd'] } });
    expect(thrownBy(() => listed(ground, 'even'))).toEqual(corrupt(/names a session that is not there/));
    expect(faultsOf(ground)).toEqual(['its lookup names a session that is not there']);
    ground.close();
  });

  it.each(['session.version', 'session.row', 'session.sum', 'record.nonce', 'record.body', 'record.sum'])(
    '%s',
    (column) => {
      const dir = made();
      const ground = openGround(dir);
      const [table, name] = column.split('.');
      const whole = get(dir, `SELECT ${name} FROM ${table} WHERE id=x'61'`);
      for (const flipped of flips(whole)) {
        set(dir, `UPDATE ${table} SET ${name}=? WHERE id=x'61'`, flipped);
        const error = thrownBy(() => {
          const { row, damaged } = fetched(ground, 'a');
          expect([row?.body, damaged]).toContain(table === 'session' ? undefined : 1);
        });
        if (error !== undefined) expect(error).toEqual(corrupt(/something else/));
      }
      ground.close();
    },
  );

  it('and a folder of an earlier layout is refused by name', () => {
    const dir = made();
    sql(dir, (database) => database.exec('PRAGMA user_version=1; PRAGMA wal_checkpoint(TRUNCATE)'));
    expect(thrownBy(() => openGround(dir))).toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringContaining('layout 1, this version of Holdfast reads 4') as string,
    });
  });
});
