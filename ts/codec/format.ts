/**
 * The bytes of a value: MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), every header as short as its
 * content allows, with the extension types of `msgpackr` where it has one. A value without a prefix below is written as msgpackr
 * writes it, so that JSON-like state can be read by any MessagePack decoder.
 *
 * | value | bytes |
 * |---|---|
 * | integers within -2^31 … 2^32-1, except -0 | shortest int or uint |
 * | every other number | float64; NaN always as 7ff8000000000000 |
 * | bigint within 64 bits | int64, or uint64 from 2^63 on |
 * | other bigint | ext 0x42: two's complement, big endian, whole 64-bit words |
 * | undefined | d4 00 00 |
 * | string | UTF-8; with lone surrogates: ext 0x75, UTF-16 little endian (also as a property name) |
 * | Array | array; with holes: d4 68 00, then array [length, index, value, index, value, …] |
 * | plain object | map with string keys, in order; with a null prototype: d4 6e 00 before the map |
 * | Map | d4 4d 00, then map with any keys |
 * | Set | d4 73 00, then array |
 * | Date | ext -1, MessagePack timestamp of 32, 64 or 96 bits; invalid: d4 ff ff |
 * | Buffer | bin |
 * | typed array, ArrayBuffer, DataView | ext 0x74: kind (index in VIEWS, 0x10, 0x11), then its bytes (little endian) |
 *
 * Prefixes (d4, type, 00) carry no length of what follows: an edit deep inside changes no header further out but counts.
 */
export const EXT_UNDEFINED = 0x00;
export const EXT_BIGINT = 0x42;
export const EXT_MAP = 0x4d;
export const EXT_SPARSE = 0x68;
export const EXT_NULL_PROTOTYPE = 0x6e;
export const EXT_SET = 0x73;
export const EXT_VIEW = 0x74;
export const EXT_STRING16 = 0x75;
export const EXT_TIMESTAMP = 0xff;

export const VIEW_ARRAY_BUFFER = 0x10;
export const VIEW_DATA_VIEW = 0x11;

type ViewConstructor = new (buffer: ArrayBuffer) => ArrayBufferView;

/** Kinds of typed array; the index is the byte in the encoding. */
export const VIEWS: readonly ViewConstructor[] = [
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
  Float32Array, Float64Array, BigInt64Array, BigUint64Array,
];

/** Deeper nesting is refused by both sides, so that neither runs out of stack. */
export const DEPTH_LIMIT: number = 1_000;

/** What a differ takes. */
export const SIZE_LIMIT: number = 2 ** 31 - 1;
