import { CDC_LEVEL, CDC_MAX_SHIFT, CDC_MIN_SHIFT, GEAR_SEED } from './format.ts';
import { xxh3 } from '../xxh3.ts';

/** Words per chunk: its length, then the low and the high half of its hash. */
export const CHUNK_STRIDE = 3;

/** One content-defined chunk. */
export interface Chunk {
  /** Where it starts, in bytes. */
  readonly offset: number;
  /** Its bytes. */
  readonly length: number;
  /** XXH3-64, seed 0, of them. */
  readonly hash: bigint;
}

/** The gear hash's term for each byte: MurmurHash3's finaliser of a Weyl sequence. */
const GEAR: Int32Array = Int32Array.from({ length: 256 }, (_, i) => {
  let h = Math.imul(i + 1, GEAR_SEED);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
});

/** Most chunks that a byte string of this length has. */
export function chunksMax(length: number, averageBits: number): number {
  return Math.ceil(length / 2 ** (averageBits - CDC_MIN_SHIFT));
}

/** Writes `CHUNK_STRIDE` words per chunk; how many chunks there are. */
export function putChunks(bytes: Uint8Array, averageBits: number, words: Uint32Array): number {
  let count = 0;
  for (let at = 0; at < bytes.length; count++) {
    const end = cut(bytes, at, averageBits);
    words[CHUNK_STRIDE * count] = end - at;
    xxh3(bytes, at, end, words, CHUNK_STRIDE * count + 1);
    at = end;
  }
  return count;
}

/** Where the chunk ends that starts at `start`. FastCDC (Xia et al., USENIX ATC 2016; IEEE TPDS 2020), with 32 bits. */
function cut(bytes: Uint8Array, start: number, averageBits: number): number {
  const least = start + 2 ** (averageBits - CDC_MIN_SHIFT);
  const end = Math.min(bytes.length, start + 2 ** (averageBits + CDC_MAX_SHIFT));
  if (end <= least) return end;
  const middle = Math.min(end, start + 2 ** averageBits);
  const hard = 32 - averageBits - CDC_LEVEL;
  const easy = 32 - averageBits + CDC_LEVEL;
  let h = 0;
  let at = least;
  while (at < middle) {
    h = ((h << 1) + GEAR[bytes[at++]!]!) | 0;
    if (h >>> hard === 0) return at;
  }
  while (at < end) {
    h = ((h << 1) + GEAR[bytes[at++]!]!) | 0;
    if (h >>> easy === 0) return at;
  }
  return end;
}

/** The chunks that `words` describe. */
export function readChunks(words: Uint32Array, count: number): Chunk[] {
  const chunks: Chunk[] = [];
  let offset = 0;
  for (let at = 0; at < CHUNK_STRIDE * count; at += CHUNK_STRIDE) {
    const length = words[at]!;
    chunks.push({ offset, length, hash: (BigInt(words[at + 2]!) << 32n) | BigInt(words[at + 1]!) });
    offset += length;
  }
  return chunks;
}
