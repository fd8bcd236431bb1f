/**
 * The bytes of a value: MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) as `msgpackr` writes it,
 * every header as short as its content allows, so that JSON-like state can be read by any MessagePack decoder. What
 * msgpackr alone would lose or give back as something else has a form of its own, marked *.
 *
 * | value | bytes |
 * |---|---|
 * | integers within -2^31 … 2^32-1 | shortest int or uint; * -0: d4 2d 00 |
 * | every other number | float64; NaN always as 7ff8000000000000 |
 * | bigint within 64 bits | int64, or uint64 from 2^63 on |
 * | other bigint | ext 0x42: two's complement, big endian; whole 64-bit words, or past 65,536 bits as few bytes as hold
 * it |
 * | undefined | d4 00 00 |
 * | string | UTF-8; * with lone surrogates, or a byte order mark at its start: ext 0x75, UTF-16 little endian |
 * | Array | array; * with holes: d4 68 00, then array [length, index, value, index, value, …] |
 * | plain object | map with string keys, in order; * with a key `__proto__` or one that is no UTF-8: d4 6f 00, then
 * array [key, value, …] |
 * | object with null prototype | * d4 6e 00, then as a plain object |
 * | Map | * d4 4d 00, then array [key, value, key, value, …] |
 * | Set | d4 73 00, then array |
 * | Date | ext -1, MessagePack timestamp of 32, 64 or 96 bits; invalid: d4 ff ff |
 * | Buffer | bin |
 * | typed array, ArrayBuffer, DataView | ext 0x74 (never a fixext): kind (index in VIEWS, 0x10, 0x11), then its bytes
 * (little endian) |
 *
 * | instance of a class (`value-types.ts`) | * d4 63 00, then array [name, data] |
 * | object, array, Map, Set or instance that is in more than one place | at the first, in the order of the bytes: * d4 69
 * id (d5 69 id16, d6 69 id32: the shortest that holds it), then what it is; at every other: * d4 72 id (d5, d6) |
 *
 * Prefixes (d4, type, 00) carry no length of what follows: an edit deep inside changes no header further out but
 * counts. Ids begin at 0, in the order in which objects are first met; under edits they stay, and what comes gets the
 * lowest that is free. What is in one place has none.
 */
export const EXT_UNDEFINED = 0x00;
export const EXT_NEGATIVE_ZERO = 0x2d;
export const EXT_BIGINT = 0x42;
export const EXT_MAP = 0x4d;
export const EXT_CLASS = 0x63;
export const EXT_SPARSE = 0x68;
export const EXT_DEFINITION = 0x69;
export const EXT_NULL_PROTOTYPE = 0x6e;
export const EXT_ENTRIES = 0x6f;
export const EXT_REFERENCE = 0x72;
export const EXT_SET = 0x73;
export const EXT_VIEW = 0x74;
export const EXT_STRING16 = 0x75;
export const EXT_TIMESTAMP = 0xff;

type ViewConstructor = abstract new (...args: never[]) => ArrayBufferView;

/** Kinds of typed array; the index is the byte in the encoding. */
export const VIEWS: readonly ViewConstructor[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

/** Kinds of what is no typed array. */
export const ARRAY_BUFFER = 0x10;
export const DATA_VIEW = 0x11;

const BYTE_ORDER_MARK = 0xfeff;

/** Text that UTF-8 cannot hold, or whose first character the reader's TextDecoder would take for a mark and drop. */
export function needsString16(text: string): boolean {
  return !(text as string & { isWellFormed(): boolean }).isWellFormed() || text.charCodeAt(0) === BYTE_ORDER_MARK;
}

/**
 * Deeper nesting is refused by both sides, so that neither runs out of stack. What a prefix opens counts as two levels.
 */
export const DEPTH_LIMIT: number = 1_000;

/** Of the scratch area, three times a long string's size. */
export const SCRATCH_LIMIT: number = 2 ** 31 - 1;

/**
 * Of msgpackr, fixed: with records or shared structures the bytes would depend on what was encoded before, with float32 numbers
 * would change.
 */
export const OPTIONS = {
  useRecords: false,
  variableMapSize: true,
  moreTypes: true,
  useToJSON: false,
  structuredClone: false,
  bundleStrings: false,
  useFloat32: 0,
  copyBuffers: true,
} as const;
