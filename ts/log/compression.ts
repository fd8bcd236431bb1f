import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { ATTRIBUTE_OPS, attributeOp, decodeDeltaBody, writeDeltaBody } from './body.ts';
import type { DeltaBody } from './body.ts';
import { ByteReader, ByteWriter, VARINT_MAX } from './bytes.ts';

/** `auto`: what is large enough is deflated where that saves a tenth. Either is read by both. */
export type Compress = 'auto' | 'off';

/** Raw deflate (RFC 1951), the only compression there is; 0 is never written. */
export const CODEC_DEFLATE = 1;
/** The smallest body of a snapshot, and the smallest value inside a delta, that it is tried on. */
export const DEFLATED_BODY_MIN = 512;
export const DEFLATED_VALUE_MIN = 16_384;

const LEVEL = 1;
const WORTH_IT = 0.9;
/** No differ takes more. */
const LONGEST = 0x7fffffff;

/** Where a reader ends who has got bytes that it does not take. All of it throws. */
export interface Refusal {
  readonly damaged: (what: string) => never;
  /** More would be made of the bytes than the limit allows. */
  readonly tooLong: () => never;
}

/** A codec byte, the length of `bytes`, and what stands for them; undefined where that saves too little. */
function pack(bytes: Uint8Array): Buffer | undefined {
  const deflated = deflateRawSync(bytes, { level: LEVEL });
  const out = new ByteWriter(1 + VARINT_MAX + deflated.length);
  out.byte(CODEC_DEFLATE);
  out.varint(bytes.length);
  out.raw(deflated);
  return out.length > WORTH_IT * bytes.length ? undefined : out.finish();
}

function unpack(packed: Uint8Array, limitBytes: number, refuse: Refusal): Buffer {
  const reader = new ByteReader(packed, refuse.damaged);
  const codec = reader.byte();
  if (codec !== CODEC_DEFLATE)
    refuse.damaged(`its compression, codec ${codec}, is unknown; a newer version of Holdfast may read it`);
  const length = reader.varint();
  if (length > Math.min(limitBytes, LONGEST)) refuse.tooLong();
  const bytes = inflate(packed.subarray(reader.offset), length, refuse);
  return bytes.length === length ? bytes : refuse.damaged('it inflates to less than it says');
}

function inflate(deflated: Uint8Array, length: number, refuse: Refusal): Buffer {
  try {
    return inflateRawSync(deflated, { maxOutputLength: Math.max(1, length), chunkSize: length + 64 });
  } catch (cause) {
    return refuse.damaged(`it does not inflate: ${(cause as Error).message}`);
  }
}

/** The body as it is written, and undefined where it is written as it is. */
export function packBody(kind: 'delta' | 'snapshot', body: Uint8Array): Buffer | undefined {
  if (kind === 'delta') return body.length < DEFLATED_VALUE_MIN ? undefined : packDelta(body);
  return body.length < DEFLATED_BODY_MIN ? undefined : pack(body);
}

/** The body that `packBody` was given; it has at most `limitBytes`. */
export function unpackBody(
  kind: 'delta' | 'snapshot',
  packed: Uint8Array,
  limitBytes: number,
  refuse: Refusal,
): Buffer {
  return kind === 'delta' ? unpackDelta(packed, limitBytes, refuse) : unpack(packed, limitBytes, refuse);
}

/** In the tags of a packed delta one more bit says whether the value is packed. */
const PACKED = 4;
const TAG_STEP = 8;

function packDelta(body: Uint8Array): Buffer | undefined {
  const { directoryDelta, changes } = decodeDeltaBody(body, (what) => {
    throw new Error(`the body of a delta is wrong: ${what}`);
  });
  const packed = changes.map(({ bytes }) => (bytes.length < DEFLATED_VALUE_MIN ? undefined : pack(bytes)));
  if (packed.every((value) => value === undefined)) return undefined;
  const out = new ByteWriter(body.length + VARINT_MAX * (1 + changes.length));
  out.varint(directoryDelta.length);
  out.raw(directoryDelta);
  changes.forEach(({ index, op, bytes }, i) => {
    const written = packed[i] ?? bytes;
    out.varint(index);
    out.varint(written.length * TAG_STEP + (packed[i] === undefined ? 0 : PACKED) + ATTRIBUTE_OPS[op]);
    out.raw(written);
  });
  return out.finish();
}

function unpackDelta(packed: Uint8Array, limitBytes: number, refuse: Refusal): Buffer {
  const reader = new ByteReader(packed, refuse.damaged);
  const directoryDelta = reader.raw(reader.varint());
  const changes: DeltaBody['changes'][number][] = [];
  let left = limitBytes;
  let found = false;
  while (!reader.done) {
    const index = reader.varint();
    const tag = reader.varint();
    const op = attributeOp(tag % PACKED, refuse.damaged);
    const written = reader.raw(Math.floor(tag / TAG_STEP));
    const isPacked = tag % TAG_STEP >= PACKED;
    const bytes = isPacked ? unpack(written, left, refuse) : written;
    changes.push({ index, op, bytes });
    left -= bytes.length;
    found ||= isPacked;
  }
  return found
    ? writeDeltaBody({ directoryDelta, changes })
    : refuse.damaged('no value is compressed, although it says so');
}
