import { crc32 } from 'node:zlib';
import { HoldfastError, shortId } from '../errors.ts';
import type { Token } from '../token.ts';
import { decodeAliasBody } from './body.ts';
import { ByteReader, ByteWriter, VARINT_MAX } from './bytes.ts';
import { packBody, unpackBody } from './compression.ts';
import type { Compress, Refusal } from './compression.ts';

/** Version of the record, snapshot and delta formats; `crates/delta/FORMAT.md` draws them. */
export const RECORD_VERSION = 1;
/** Bytes of a record around its body, at most; an extension comes on top. */
export const RECORD_OVERHEAD: number = 1 + 3 * 6 + 2 * VARINT_MAX + 8 + 4;

/** The first byte: version and kind in two bits each, then four flags. */
export const VERSION_SHIFT = 6;
export const KIND_SHIFT = 4;
export const FLAG_TOKEN = 0x01;
export const FLAG_EXTENSION = 0x02;
export const FLAG_DIRECTORY = 0x04;
export const FLAG_PACKED = 0x08;
/** In the first byte of an extension: who does not know it must refuse the record. */
export const EXTENSION_CRITICAL = 0x80;

const CHECKSUM_BYTES = 4;
const UINT48_MAX = 2 ** 48 - 1;
const KINDS = ['delta', 'snapshot', 'tombstone', 'alias'] as const;

/** 64 bits that change with every change to an image: see `Image`. */
export interface Digest {
  readonly low: number;
  readonly high: number;
}

export const sameDigest = (a: Digest, b: Digest): boolean => a.low === b.low && a.high === b.high;

/**
 * What a record says by its difference to the one before, and what its checksum binds it to. Every `LogRecord` is one.
 */
export interface RecordParent {
  readonly revision: number;
  readonly nonce: number;
  readonly time: number;
  readonly token: Token;
}

/** The parent of a session's first record. */
export const NO_PARENT: RecordParent = { revision: 0, nonce: 0, time: 0, token: 0 };

/** One step of a session's log: the envelope, and a body that depends on the kind. */
export interface LogRecord {
  readonly kind: (typeof KINDS)[number];
  /** The parent's revision is one less. */
  readonly revision: number;
  readonly nonce: number;
  readonly parentNonce: number;
  /** The writer's wall clock, whole ms since 1970. */
  readonly time: number;
  /** The writer's; it never falls along a log. */
  readonly token: Token;
  /**
   * Of the image that the record yields; of a tombstone or an alias: zeros. A delta carries the low lane only, and is
   * read with a high one of 0: compare by `yields`.
   */
  readonly digest: Digest;
  /**
   * As `encodeDeltaBody`, `encodeSnapshotBody` or `encodeAliasBody` made it, never compressed; of a tombstone: empty.
   */
  readonly body: Uint8Array;
  /** Of a later version: a first byte (`EXTENSION_CRITICAL` and what it is), and what belongs to it. */
  readonly extension?: Uint8Array;
}

/** Whether the record leads to an image with this digest, as far as it says. */
export function yields(record: LogRecord, digest: Digest): boolean {
  return record.kind === 'delta' ? record.digest.low === digest.low : sameDigest(record.digest, digest);
}

/**
 * `parent` is the record before. `ERR_FENCED` when that has a higher token; `ERR_INVALID` when the record does not
 * follow it, or has no time in whole milliseconds.
 */
export function encodeRecord(id: string, record: LogRecord, parent: RecordParent, compress: Compress): Buffer {
  checkFollows(id, record, parent);
  const { kind, extension } = record;
  const plain = kind === 'tombstone' || kind === 'alias';
  const packed = plain || compress === 'off' ? undefined : packBody(kind, record.body);
  const body = packed ?? record.body;
  const hasDirectory = kind === 'delta' && body[0] !== 0;
  const raised = kind === 'delta' && record.token > parent.token;
  const out = new ByteWriter(RECORD_OVERHEAD + VARINT_MAX + (extension?.length ?? 0) + body.length);
  const flags = (raised ? FLAG_TOKEN : 0) | (hasDirectory ? FLAG_DIRECTORY : 0) | (packed ? FLAG_PACKED : 0);
  out.byte(
    (RECORD_VERSION << VERSION_SHIFT) | (KINDS.indexOf(kind) << KIND_SHIFT) | (extension ? FLAG_EXTENSION : 0) | flags,
  );
  out.uint48(record.nonce);
  if (kind === 'delta') writeDeltaHead(out, record, parent);
  else writeWholeHead(out, record);
  if (extension !== undefined) {
    out.varint(extension.length);
    out.raw(extension);
  }
  // The length of a directory's delta that is empty: the flag says it.
  out.raw(kind === 'delta' && !hasDirectory ? body.subarray(1) : body);
  out.uint32(crc32(out.finish(), seedOf(id, kind === 'delta' ? parent : undefined)));
  return out.finish();
}

function checkFollows(id: string, record: LogRecord, parent: RecordParent): void {
  const { revision, time, token, extension } = record;
  const refuse = (code: 'ERR_FENCED' | 'ERR_INVALID', what: string): never => {
    throw new HoldfastError(code, `session '${shortId(id)}', revision ${revision}: ${what}`, { session: id, revision });
  };
  if (token < parent.token)
    refuse('ERR_FENCED', `token ${token} is outdated by ${parent.token} of the record before; discard this copy`);
  const isFollowing = revision === parent.revision + 1 && record.parentNonce === parent.nonce;
  if (!isFollowing) refuse('ERR_INVALID', `it does not follow revision ${parent.revision}, nonce ${parent.nonce}`);
  const isTime = Number.isInteger(time) && time >= 0 && time <= UINT48_MAX;
  if (!isTime) refuse('ERR_INVALID', `the time is ${time}; a clock tells whole milliseconds since 1970`);
  if (extension?.length === 0) refuse('ERR_INVALID', 'an extension has at least one byte');
}

function writeDeltaHead(out: ByteWriter, record: LogRecord, parent: RecordParent): void {
  out.zigzag(record.time - parent.time);
  if (record.token > parent.token) out.varint(record.token - parent.token);
  out.uint32(record.digest.low);
}

function writeWholeHead(out: ByteWriter, record: LogRecord): void {
  out.uint48(record.parentNonce);
  out.uint48(record.time);
  out.varint(record.revision);
  out.varint(record.token);
  out.uint32(record.digest.low);
  out.uint32(record.digest.high);
}

/**
 * Binds a checksum to the session, and that of a delta to its place: a record that turns up under another id, or behind
 * another record, is damage.
 */
function seedOf(id: string, parent: RecordParent | undefined): number {
  const seed = crc32(id);
  if (parent === undefined) return seed;
  place.length = 0;
  place.varint(parent.revision + 1);
  place.uint48(parent.nonce);
  return crc32(place.finish(), seed);
}

/** Used again and again. */
const place = new ByteWriter(VARINT_MAX + 6);

type Head = Pick<LogRecord, 'revision' | 'nonce' | 'parentNonce' | 'time' | 'token' | 'digest'>;

/**
 * The record of this revision; its body may share memory with `bytes`. `parent`, the record before, may be left out for
 * all but a delta. `limitBytes` is that of the session's state and bounds what is inflated. Throws `ERR_CORRUPT` or
 * `ERR_LIMIT`, naming session and revision.
 */
export function decodeRecord(
  id: string,
  bytes: Uint8Array,
  parent: RecordParent | undefined,
  revision: number,
  limitBytes: number,
): LogRecord {
  const damaged = (what: string): never => {
    throw corrupt(id, revision, `the record is damaged (${what})`);
  };
  const first = bytes[0] ?? damaged('it is empty');
  const version = first >> VERSION_SHIFT;
  if (version !== RECORD_VERSION) {
    throw unknown(
      id,
      revision,
      `the record has format version ${version}, and this version of Holdfast reads ${RECORD_VERSION}`,
    );
  }
  const kind = KINDS[(first >> KIND_SHIFT) & 3] as LogRecord['kind'];
  const isDelta = kind === 'delta';
  if (isDelta && parent === undefined)
    throw corrupt(id, revision, 'a delta cannot stand alone, and the record before it is missing');
  if (parent !== undefined && parent.revision + 1 !== revision)
    damaged(`it does not follow revision ${parent.revision}`);
  const content = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES));
  const checksum = new ByteReader(bytes.subarray(content.length), damaged).uint32();
  if (crc32(content, seedOf(id, isDelta ? parent : undefined)) !== checksum) damaged('checksum');

  const reader = new ByteReader(content, damaged);
  reader.byte();
  const head = isDelta
    ? readDeltaHead(reader, first, parent as RecordParent, damaged)
    : readWholeHead(reader, revision, parent, damaged);
  const extension = (first & FLAG_EXTENSION) === 0 ? undefined : readExtension(reader, id, revision, damaged);
  const tooLong = (): never => {
    throw overLimit(id, revision, limitBytes);
  };
  const body = readBody(kind, first, content.subarray(reader.offset), limitBytes, { damaged, tooLong });
  return { kind, ...head, body, ...(extension && { extension }) };
}

function readDeltaHead(
  reader: ByteReader,
  first: number,
  parent: RecordParent,
  damaged: (what: string) => never,
): Head {
  const nonce = reader.uint48();
  const time = parent.time + reader.zigzag();
  const raise = (first & FLAG_TOKEN) === 0 ? 0 : reader.varint() || damaged('a token is raised by 0');
  const digest = { low: reader.uint32(), high: 0 };
  if (time < 0 || time > UINT48_MAX) damaged('its time');
  if (!Number.isSafeInteger(parent.token + raise)) damaged('its token');
  return { revision: parent.revision + 1, nonce, parentNonce: parent.nonce, time, token: parent.token + raise, digest };
}

function readWholeHead(
  reader: ByteReader,
  expected: number,
  parent: RecordParent | undefined,
  damaged: (what: string) => never,
): Head {
  const nonce = reader.uint48();
  const parentNonce = reader.uint48();
  const time = reader.uint48();
  const revision = reader.varint();
  const token = reader.varint();
  const digest = { low: reader.uint32(), high: reader.uint32() };
  if (revision !== expected) damaged(`it is revision ${revision}`);
  if (parent !== undefined && parentNonce !== parent.nonce) damaged(`it follows another revision ${parent.revision}`);
  if (parent !== undefined && token < parent.token) damaged('its token is lower than that of the record before');
  return { revision, nonce, parentNonce, time, token, digest };
}

/** None is known yet: those that say so are refused, the others are skipped. */
function readExtension(reader: ByteReader, id: string, revision: number, damaged: (what: string) => never): Uint8Array {
  const extension = reader.raw(reader.varint());
  const first = extension[0] ?? damaged('an empty extension');
  if ((first & EXTENSION_CRITICAL) !== 0) {
    throw unknown(
      id,
      revision,
      `the record has extension ${first & ~EXTENSION_CRITICAL}, which this version of Holdfast does not know`,
    );
  }
  return extension;
}

/** Beside the values a body has their lengths and indices, which together take less than they do. */
const bodyLimit = (limitBytes: number): number => 2 * limitBytes + 64;

function readBody(
  kind: LogRecord['kind'],
  first: number,
  written: Uint8Array,
  limitBytes: number,
  refuse: Refusal,
): Uint8Array {
  const isPacked = (first & FLAG_PACKED) !== 0;
  if (kind === 'delta') {
    const body = withDirectory(first, written, refuse);
    return isPacked ? unpackBody(kind, body, bodyLimit(limitBytes), refuse) : body;
  }
  if ((first & (FLAG_TOKEN | FLAG_DIRECTORY)) !== 0) refuse.damaged('a flag that only deltas have');
  if (kind === 'snapshot') return isPacked ? unpackBody(kind, written, bodyLimit(limitBytes), refuse) : written;
  if (isPacked) refuse.damaged('a flag that it cannot have');
  if (kind === 'alias') decodeAliasBody(written, refuse.damaged);
  else if (written.length > 0) refuse.damaged('a tombstone with a body');
  return written;
}

function withDirectory(first: number, written: Uint8Array, { damaged }: Refusal): Uint8Array {
  if ((first & FLAG_DIRECTORY) !== 0) return written[0] === 0 ? damaged('an empty change of the directory') : written;
  const body = new Uint8Array(1 + written.length);
  body.set(written, 1);
  return body;
}

export function corrupt(id: string, revision: number, what: string, cause?: unknown): HoldfastError {
  const message = `session '${shortId(id)}', revision ${revision}: ${what}; restore the session from a backup`;
  return new HoldfastError('ERR_CORRUPT', message, { session: id, revision, cause });
}

/** Nothing may be damaged: another version of Holdfast wrote it. */
function unknown(id: string, revision: number, what: string): HoldfastError {
  return new HoldfastError(
    'ERR_CORRUPT',
    `session '${shortId(id)}', revision ${revision}: ${what}; read it with a newer version`,
    { session: id, revision },
  );
}

export function overLimit(id: string, revision: number, limitBytes: number, cause?: unknown): HoldfastError {
  const message = `session '${shortId(id)}', revision ${revision}: it holds more than limitBytes = ${limitBytes}; raise the limit to open it`;
  return new HoldfastError('ERR_LIMIT', message, { session: id, revision, cause });
}
