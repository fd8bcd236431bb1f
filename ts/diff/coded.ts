import { malformed, outOfBase, trailing, truncated } from './bad-delta.ts';
import { CODE_MIN } from './format.ts';
import { AHEAD, BACK, DIAGONAL, Model, OWN, STREAM } from './model.ts';
import { RangeReader, RangeWriter } from './range.ts';
import { LANES, OPERATION, type Script } from './script.ts';

/** So many literals are looked at to tell noise. */
const SAMPLE_MAX = 4096;

/** Where copies from the base ended, a stream each, and what was made since the latest. */
class Streams {
  readonly #ends = new Float64Array(LANES);
  since = 0;
  /** What the last `place` found. */
  kind = 0;
  distance = 0;

  begin(): void {
    this.#ends.fill(0);
    this.since = 0;
  }

  /** Finds the kind of a source in the base, and how far it is from the latest end. */
  place(source: number): void {
    const latest = this.#ends[0]!;
    const stream = source === latest + this.since ? -1 : this.#ends.indexOf(source);
    this.distance = source > latest ? source - latest - 1 : latest - source - 1;
    if (source === latest + this.since) this.kind = DIAGONAL;
    else if (stream >= 0) this.kind = STREAM + stream;
    else this.kind = source > latest ? AHEAD : BACK;
  }

  /** The source in the base that a kind and a distance mean; perhaps none. */
  source(kind: number, distance: number): number {
    const latest = this.#ends[0]!;
    if (kind === DIAGONAL) return latest + this.since;
    if (kind === AHEAD) return latest + 1 + distance;
    return kind === BACK ? latest - 1 - distance : this.#ends[kind - STREAM]!;
  }

  /** A copy from the base ended here: its stream comes first. */
  copied(kind: number, end: number): void {
    let stream = kind - STREAM;
    if (kind === DIAGONAL) stream = 0;
    else if (kind >= AHEAD) stream = LANES - 1;
    this.#ends.copyWithin(1, 0, stream);
    this.#ends[0] = end;
    this.since = 0;
  }
}

const model = new Model();
const streams = new Streams();

/** Where a code was written. */
export interface Written {
  /** `out`, or longer memory in its place. */
  readonly bytes: Buffer;
  /** Where the code ends in it; -1: it came to `room`, or is too short to be read. */
  readonly end: number;
}

/** Writes the code of the script's operations to `out[start..]`, which may not come to `room`. */
export function writeCode(
  base: number,
  target: Buffer,
  script: Script,
  out: Buffer,
  start: number,
  room: number,
): Written {
  const { operations } = script;
  model.chances.forget();
  streams.begin();
  const coder = new RangeWriter(model.chances, out, start);
  model.coder = coder;
  let at = 0;
  let before = DIAGONAL;
  for (let i = 0; i < script.length; i += OPERATION) {
    const literal = operations[i]!;
    const source = operations[i + 1]!;
    const length = operations[i + 2]!;
    model.literalLength(before, literal);
    for (let end = at + literal; at < end; at++) model.literal(target[at]!);
    streams.since += literal;
    if (length === 0 || coder.end >= room) break;
    const isOwn = source >= base;
    if (!isOwn) streams.place(source);
    const kind = isOwn ? OWN : streams.kind;
    model.kind(before, literal > 0, kind);
    model.distance(kind, isOwn ? at - (source - base) - 1 : streams.distance);
    at += length;
    model.length(kind, at === target.length ? 0 : length);
    if (isOwn) streams.since += length;
    else streams.copied(kind, source + length);
    before = kind;
  }
  const end = coder.finish();
  const isGood = at === target.length && end < room && end >= start + CODE_MIN;
  return { bytes: coder.bytes, end: isGood ? end : -1 };
}

/** Takes what a code says, each part checked against the base and the target's length. */
export interface CodedParts {
  literal(byte: number): void;
  /** From the base. */
  copy(source: number, length: number): void;
  /** From the target so far, perhaps over what it makes. */
  repeat(source: number, length: number): void;
}

/**
 * Hands on the parts of the code in `bytes[start..end]` that make a target of `length` bytes. Each operation makes a
 * byte at least, so the work is linear in the length.
 */
export function readCode(
  base: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  length: number,
  parts: CodedParts,
): void {
  if (end - start < CODE_MIN) throw truncated(start);
  model.chances.forget();
  streams.begin();
  const coder = new RangeReader(model.chances, bytes, start, end);
  model.coder = coder;
  let made = 0;
  let before = DIAGONAL;
  while (made < length) {
    const { offset } = coder;
    const literal = model.literalLength(before, 0);
    if (literal > length - made) throw malformed(offset);
    for (let i = 0; i < literal; i++) {
      parts.literal(model.literal(0));
      if (coder.isOver) throw truncated(end);
    }
    made += literal;
    streams.since += literal;
    if (made === length) break;
    const kind = model.kind(before, literal > 0, 0);
    const distance = model.distance(kind, 0);
    const rest = length - made;
    const said = model.length(kind, 0);
    const copied = said === 0 ? rest : said;
    if (coder.isOver) throw truncated(end);
    if (copied > rest) throw malformed(offset);
    const source = kind === OWN ? made - 1 - distance : streams.source(kind, distance);
    if (source < 0 || (kind !== OWN && source + copied > base)) throw outOfBase(offset);
    if (kind === OWN) {
      parts.repeat(source, copied);
      streams.since += copied;
    } else {
      parts.copy(source, copied);
      streams.copied(kind, source + copied);
    }
    made += copied;
    before = kind;
  }
  if (coder.offset < end) throw trailing(coder.offset);
}

const counts = new Uint32Array(256);

/**
 * Whether the new bytes are so evenly spread that coding them gains nothing: by how often two of them are alike, less
 * than twice as often as in noise.
 */
export function isNoise(target: Uint8Array, script: Script): boolean {
  const { operations } = script;
  let total = 0;
  for (let i = 0; i < script.length; i += OPERATION) total += operations[i]!;
  if (Math.min(total, SAMPLE_MAX) * OPERATION <= 64 * script.length) return false;
  counts.fill(0);
  let at = 0;
  total = 0;
  for (let i = 0; i < script.length; i += OPERATION) {
    const literal = Math.min(operations[i]!, SAMPLE_MAX - total);
    for (let k = 0; k < literal; k++) counts[target[at + k]!]!++;
    total += literal;
    at += operations[i]! + operations[i + 2]!;
  }
  let alike = 0;
  for (const count of counts) alike += count * Math.max(count - 1, 0);
  return alike < Math.floor((total * total) / 128);
}
