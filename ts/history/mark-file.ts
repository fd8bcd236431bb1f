import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { HoldfastError } from '../errors.ts';
import type { Mark } from './mark.ts';
import type { Sink } from './record.ts';

const CHUNK_BYTES = 65_536;

export interface MarkFile {
  readonly sink: Sink;
  close(): void;
}

/**
 * Appends marks to a file. `each`: every mark is with the operating system before the sink returns, so that a killed
 * process loses none that it acted on. `batched`: cheaper, and a killed process loses the last ones.
 */
export function markFile(path: string, written: 'each' | 'batched' = 'each'): MarkFile {
  const file = openSync(path, 'a');
  const most = written === 'each' ? 0 : CHUNK_BYTES;
  let text = '';
  const flush = (): void => {
    const bytes = Buffer.from(text);
    text = '';
    for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
  };
  const sink: Sink = (mark) => {
    text += `${JSON.stringify(mark)}\n`;
    if (text.length > most) flush();
  };
  return {
    sink,
    close: () => {
      flush();
      closeSync(file);
    },
  };
}

/**
 * The marks of a file, read as they are asked for. A last line without its end was torn by a kill and is left out; what
 * it told of had not been acted on. Throws `ERR_CORRUPT` at any other line that is none.
 */
export function* readMarks(path: string): Generator<Mark, void> {
  let number = 0;
  for (const line of linesOf(path)) {
    number += 1;
    yield markOf(line, path, number);
  }
}

function markOf(line: string, path: string, number: number): Mark {
  try {
    return JSON.parse(line) as Mark;
  } catch (cause) {
    throw new HoldfastError(
      'ERR_CORRUPT',
      `line ${number} of the history ${path} is no mark; the history cannot be judged, record it anew`,
      { cause },
    );
  }
}

function* linesOf(path: string): Generator<string, void> {
  const file = openSync(path, 'r');
  const decoder = new StringDecoder();
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest = '';
  try {
    for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
      const lines = (rest + decoder.write(chunk.subarray(0, length))).split('\n');
      rest = lines.pop() as string;
      yield* lines;
    }
  } finally {
    closeSync(file);
  }
}

/** One history of the histories of several processes; each keeps its own order. */
export function* mergeMarks(histories: readonly Iterable<Mark>[]): Generator<Mark, void> {
  const readers = histories.map(readerOf).filter((reader) => reader.mark !== undefined);
  for (let first = readers[0]; first !== undefined; first = readers[0]) {
    for (const other of readers) if (comesAfter(first.mark as Mark, other.mark as Mark)) first = other;
    yield first.mark as Mark;
    first.next();
    if (first.mark === undefined) readers.splice(readers.indexOf(first), 1);
  }
}

interface Reader {
  /** Undefined: there are no more. */
  mark: Mark | undefined;
  next(): void;
}

function readerOf(history: Iterable<Mark>): Reader {
  const marks = history[Symbol.iterator]();
  const take = (): Mark | undefined => {
    const { done, value } = marks.next();
    return done === true ? undefined : value;
  };
  const reader: Reader = { mark: take(), next: () => void (reader.mark = take()) };
  return reader;
}

const BEGINS: ReadonlySet<Mark['mark']> = new Set(['call', 'use', 'put']);

/** At the same time what begins comes first: then two calls overlap, and neither must have seen the other. */
const comesAfter = (a: Mark, b: Mark): boolean =>
  a.at > b.at || (a.at === b.at && !BEGINS.has(a.mark) && BEGINS.has(b.mark));
