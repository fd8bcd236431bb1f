import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { createBrotliDecompress } from 'node:zlib';
import { HoldfastError } from '../errors.ts';

/** First line of a trace: what follows, and how the attributes are to be declared. */
export interface TraceHeader {
  readonly trace: string;
  /** Attribute name → class. */
  readonly classes: Readonly<Record<string, string>>;
  /** Attributes whose values are bytes, written as `{ "$bytes": base64 }`. */
  readonly binary: readonly string[];
  /** Steps that follow, where the trace says so. */
  readonly steps: number | undefined;
}

type Path = readonly (string | number)[];

export type Edit =
  | readonly [verb: 'set', path: Path, value: unknown]
  | readonly [verb: 'del', path: Path]
  | readonly [verb: 'push', path: Path, value: unknown]
  | readonly [verb: 'assign', path: Path, values: object]
  | readonly [verb: 'splice', path: Path, at: number, remove: number, insert: string];

/**
 * `new` begins a session, `e` edits it, `s` makes its whole state another; `end` is the SHA-256 of its last state as
 * JSON.
 */
export interface TraceRecord {
  readonly sid: string;
  readonly new?: State;
  readonly e?: readonly Edit[];
  readonly s?: State;
  readonly end?: string;
}

export type State = Record<string, unknown>;

/** A record and the line that it was read from. */
export interface TraceLine {
  readonly record: TraceRecord;
  readonly text: string;
}

/** Reads a trace (JSON lines, as they are or under brotli) without holding more of it than a line. */
export async function openTrace(file: string): Promise<{ header: TraceHeader; lines: AsyncIterable<TraceLine> }> {
  const texts = linesOf(file)[Symbol.asyncIterator]();
  const first = await texts.next();
  const opening: unknown = first.done === true ? {} : parse(file, first.value);
  const fields = opening as Partial<TraceHeader> & Partial<TraceRecord>;
  const headless = typeof fields?.sid === 'string';
  if (first.done !== true && !headless && !isHeader(opening))
    throw new HoldfastError(
      'ERR_INVALID',
      `${file} is no recorded history: its first line is neither a step, with the session's \`sid\`, nor a header, with \`trace\`, \`classes\`, \`binary\` or \`steps\``,
    );
  const header = {
    trace: typeof fields.trace === 'string' ? fields.trace : basename(file).replace(/\.jsonl(\.br)?$/, ''),
    classes: fields.classes ?? {},
    binary: fields.binary ?? [],
    steps: typeof fields.steps === 'number' ? fields.steps : undefined,
  };
  async function* records(): AsyncIterable<TraceLine> {
    if (headless) yield { record: opening as TraceRecord, text: first.value as string };
    for (let next = await texts.next(); next.done !== true; next = await texts.next()) {
      const record = parse(file, next.value) as TraceRecord;
      if (typeof record?.sid !== 'string')
        throw new Error(`${file}: a line names no session (sid): ${next.value.slice(0, 80)}`);
      yield { record, text: next.value };
    }
  }
  return { header, lines: records() };
}

const isHeader = (opening: unknown): boolean =>
  typeof opening === 'object' &&
  opening !== null &&
  ['trace', 'classes', 'binary', 'steps'].some((name) => Object.hasOwn(opening, name));

export const isStep = (record: TraceRecord): boolean => record.e !== undefined || record.s !== undefined;

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file}: a line is not JSON: ${text.slice(0, 80)}`, { cause });
  }
}

/** Split at line feeds only: U+2028 is no end of a line in JSON, as it is for node:readline. */
async function* linesOf(file: string): AsyncGenerator<string, undefined> {
  if (statSync(file).size === 0) return undefined;
  const raw = createReadStream(file);
  const source: Readable = file.endsWith('.br') ? raw.pipe(createBrotliDecompress()) : raw;
  raw.on('error', (error) => source.destroy(error));
  source.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of source as AsyncIterable<string>) {
      const lines = chunk.split('\n');
      lines[0] = rest + (lines[0] as string);
      rest = lines.pop() as string;
      for (const line of lines) if (line.trim() !== '') yield line;
    }
    if (rest.trim() !== '') yield rest;
  } finally {
    raw.destroy();
  }
  return undefined;
}

type Parent = Record<string | number, unknown>;

/** Applies edits to a state, or to a tracked session: in place, as an application would. */
export function applyEdits(root: State, edits: readonly Edit[], binary: ReadonlySet<string>): void {
  for (const edit of edits) {
    const name = edit[1][0];
    if (name === undefined && edit[0] === 'assign') Object.assign(root, revive(edit[2] as State, binary));
    else if (typeof name === 'string' && binary.has(name)) editBytes(root, name, edit);
    else applyEdit(root, edit);
  }
}

function applyEdit(root: State, edit: Edit): void {
  const path = edit[1];
  if (edit[0] === 'push') return void (walk(root, path) as unknown as unknown[]).push(edit[2]);
  if (edit[0] === 'assign') return void Object.assign(walk(root, path), edit[2]);
  const parent = walk(root, path.slice(0, -1));
  const key = path.at(-1) as string | number;
  if (edit[0] === 'set') parent[key] = edit[2];
  else if (edit[0] === 'del') {
    if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else delete parent[key];
  } else if (edit[0] === 'splice') {
    const [, , at, remove, insert] = edit;
    const text = parent[key] as string;
    parent[key] = text.slice(0, at) + insert + text.slice(at + remove);
  } else throw new Error(`unknown edit '${String((edit as readonly unknown[])[0])}'`);
}

function walk(root: State, path: Path): Parent {
  let at: Parent = root;
  for (const key of path) at = at[key] as Parent;
  return at;
}

/** The edit is one of the written form; the session gets the bytes that come of it. */
function editBytes(root: State, name: string, edit: Edit): void {
  const written: State = Object.hasOwn(root, name) ? { [name]: writtenForm(root[name]) } : {};
  applyEdit(written, edit);
  if (Object.hasOwn(written, name)) root[name] = fromWrittenForm(written[name]);
  else delete root[name];
}

const writtenForm = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
    : value;

function fromWrittenForm(value: unknown): unknown {
  const written = (value as { $bytes?: unknown } | null | undefined)?.$bytes;
  return typeof written === 'string' ? Buffer.from(written, 'base64') : value;
}

/** The state as a session holds it: attributes of bytes are Buffers. */
export function revive(state: State, binary: ReadonlySet<string>): State {
  if (binary.size === 0) return state;
  return Object.fromEntries(
    Object.entries(state).map(([name, value]) => [name, binary.has(name) ? fromWrittenForm(value) : value]),
  );
}

/** SHA-256 of a state's JSON, its bytes in the written form: what a trace names at a session's end. */
export function fingerprint(state: State, binary: ReadonlySet<string>): string {
  const written =
    binary.size === 0
      ? state
      : Object.fromEntries(
          Object.entries(state).map(([name, value]) => [name, binary.has(name) ? writtenForm(value) : value]),
        );
  return createHash('sha256').update(JSON.stringify(written)).digest('hex');
}

const NOTHING: ReadonlySet<string> = new Set();

/** What every session must hold in the end, computed from plain objects. */
export class Reference {
  readonly #states = new Map<string, State>();
  /** By session; where the trace itself names the last state, that. */
  readonly #ends = new Map<string, string>();

  /** Takes in a record. False: it repeats nothing but an end. */
  follow({ sid, new: first, e, s, end }: TraceRecord): void {
    if (end !== undefined) {
      this.#ends.set(sid, end);
      this.#states.delete(sid);
      return;
    }
    const whole = first ?? s;
    if (whole !== undefined) this.#states.set(sid, whole);
    else if (e !== undefined) {
      const state = this.#states.get(sid);
      if (state === undefined) throw new Error(`session '${sid}' is edited before it begins, or after its end`);
      applyEdits(state, e, NOTHING);
    } else return;
    this.#ends.delete(sid);
  }

  *fingerprints(): Iterable<[sid: string, sha256: string]> {
    for (const [sid, state] of this.#states) yield [sid, fingerprint(state, NOTHING)];
    yield* this.#ends;
  }
}
