import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { check } from '../../ts/history/check.ts';
import { markFile, mergeMarks, readMarks } from '../../ts/history/mark-file.ts';
import type { Mark } from '../../ts/history/mark.ts';
import { run } from './workload.ts';

describe('files of marks', () => {
  let folder: string;
  const mark = (who: string, at: number, kind: 'put' | 'done', use = 1): Mark => ({
    who,
    at,
    wall: at,
    use,
    ...(kind === 'put' ? { mark: 'put', keys: [] } : { mark: 'done', outcome: 'ok' }),
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-history-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('are there when the sink returns, and a torn last line is left out', () => {
    const path = join(folder, 'p.marks');
    const { sink, close } = markFile(path);
    const marks = [mark('p', 1, 'put'), mark('p', 2, 'done')];
    for (const each of marks) sink(each);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(3);
    expect([...readMarks(path)]).toEqual(marks);
    close();
    appendFileSync(path, JSON.stringify(mark('p', 3, 'put')).slice(0, -4));
    expect([...readMarks(path)]).toEqual(marks);
  });

  it('are written later where that is allowed, and whole wherever a piece of the file ends', () => {
    const path = join(folder, 'p.marks');
    const { sink, close } = markFile(path, 'batched');
    const marks = Array.from({ length: 5000 }, (_, i) => mark(`p\u{1F600}${'ä'.repeat(i % 7)}`, i, 'put'));
    sink(marks[0] as Mark);
    expect(readFileSync(path, 'utf8')).toBe('');
    for (const each of marks.slice(1)) sink(each);
    close();
    expect([...readMarks(path)]).toEqual(marks);
  });

  it('are refused by line where another line is torn', () => {
    const path = join(folder, 'p.marks');
    writeFileSync(
      path,
      `${JSON.stringify(mark('p', 1, 'put'))}\n{"mark":"pu\n${JSON.stringify(mark('p', 2, 'put'))}\n`,
    );
    expect(() => [...readMarks(path)]).toThrow(
      expect.objectContaining({ code: 'ERR_CORRUPT', message: expect.stringContaining('line 2') as string }) as Error,
    );
  });

  it('are merged by time; each keeps its order, and at the same time beginnings come first', () => {
    const a = [mark('a', 1, 'put'), mark('a', 5, 'done'), mark('a', 5, 'put', 2), mark('a', 9, 'done', 2)];
    const b = [mark('b', 5, 'put'), mark('b', 6, 'done')];
    const c = [mark('c', 0, 'put'), mark('c', 5, 'done')];
    const merged = [...mergeMarks([a, b, c])];
    for (const own of [a, b, c]) expect(merged.filter(({ who }) => who === own[0]?.who)).toEqual(own);
    expect(merged.map(({ at }) => at)).toEqual([0, 1, 5, 5, 5, 5, 6, 9]);
    const [beginning, ending] = [merged.indexOf(b[0] as Mark), merged.indexOf(a[1] as Mark)];
    expect(beginning).toBeLessThan(ending);
    expect([...mergeMarks([])]).toEqual([]);
  });

  it('give the verdict that the marks gave in memory', async () => {
    const { marks, finals, options } = await run(3, { plant: 'grants twice' });
    const names = [...new Set(marks.map(({ who }) => who))];
    for (const name of names) {
      const { sink, close } = markFile(join(folder, name));
      marks.filter(({ who }) => who === name).forEach(sink);
      close();
    }
    const read = mergeMarks(names.map((name) => readMarks(join(folder, name))));
    const kinds = ({ findings }: ReturnType<typeof check>) =>
      findings.map(({ kind, id }) => `${kind} ${id}`).toSorted();
    const expected = kinds(check(marks, finals, options));
    expect(expected.length).toBeGreaterThan(0);
    expect(kinds(check(read, finals, options))).toEqual(expected);
  });
});
