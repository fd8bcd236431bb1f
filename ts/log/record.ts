import { crc32 } from 'node:zlib';
import { HoldfastError } from '../errors.ts';
import { ByteReader, ByteWriter, VARINT_MAX } from './bytes.ts';

/** First byte of every record: `H`. */
export const RECORD_MAGIC = 0x48;
/** Version of the record, snapshot and delta formats; `crates/delta/FORMAT.md` draws them. */
export const RECORD_VERSION = 1;
/** Bytes of a record around its body, at most. */
export const RECORD_OVERHEAD: number = 3 + 2 * VARINT_MAX + 6 + 6 + 8 + 4;

const CHECKSUM_BYTES = 4;
const KINDS = ['delta', 'snapshot', 'tombstone'] as const;

/** 64 bits that change with every change to an image: see `Image`. */
export interface Digest {
  readonly low: number;
  readonly high: number;
}

export const sameDigest = (a: Digest, b: Digest): boolean => a.low === b.low && a.high === b.high;

/** One step of a session's log: the envelope, and a body that depends on the kind. */
export interface LogRecord {
  readonly kind: (typeof KINDS)[number];
  /** The parent's revision is one less. */
  readonly revision: number;
  /** The writer's fencing token. */
  readonly token: number;
  readonly parentNonce: number;
  readonly nonce: number;
  /** Of the image that the record yields. */
  readonly digest: Digest;
  readonly body: Uint8Array;
}

/** The checksum covers the session's id too: a record that turns up under another id is damage. */
export function encodeRecord(id: string, record: LogRecord): Buffer {
  const out = new ByteWriter(RECORD_OVERHEAD + record.body.length);
  out.byte(RECORD_MAGIC);
  out.byte(RECORD_VERSION);
  out.byte(KINDS.indexOf(record.kind));
  out.varint(record.revision);
  out.varint(record.token);
  out.uint48(record.parentNonce);
  out.uint48(record.nonce);
  out.uint32(record.digest.low);
  out.uint32(record.digest.high);
  out.raw(record.body);
  out.uint32(crc32(out.finish(), crc32(id)));
  return out.finish();
}

/** `revision` is the one expected here, for the message only. Throws `ERR_CORRUPT` naming session and revision. */
export function decodeRecord(id: string, bytes: Uint8Array, revision: number): LogRecord {
  const fail = (what: string): never => {
    throw corrupt(id, revision, `the record is damaged (${what})`);
  };
  if (bytes.length < 3 + CHECKSUM_BYTES || bytes[0] !== RECORD_MAGIC) return fail('not a record');
  if (bytes[1] !== RECORD_VERSION) {
    throw corrupt(id, revision, `the record has format version ${bytes[1]}, this version of Holdfast reads ${RECORD_VERSION}`);
  }
  const content = bytes.subarray(0, bytes.length - CHECKSUM_BYTES);
  const checksum = new ByteReader(bytes.subarray(content.length), fail).uint32();
  if (crc32(content, crc32(id)) !== checksum) return fail('checksum');
  const reader = new ByteReader(content, fail);
  reader.raw(2);
  const kind = KINDS[reader.byte()] ?? fail('unknown kind');
  const head = { kind, revision: reader.varint(), token: reader.varint(), parentNonce: reader.uint48(), nonce: reader.uint48() };
  const digest = { low: reader.uint32(), high: reader.uint32() };
  return { ...head, digest, body: content.subarray(reader.offset) };
}

export function corrupt(id: string, revision: number, what: string, cause?: unknown): HoldfastError {
  const message = `session '${id}', revision ${revision}: ${what}; restore the session from a backup`;
  return new HoldfastError('ERR_CORRUPT', message, { session: id, revision, cause });
}
