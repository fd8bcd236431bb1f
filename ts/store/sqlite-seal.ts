import { xxh3 } from '../xxh3.ts';

const hash = new Uint32Array(2);

/** As in the addon: over the key and its length, two numbers, and the bytes. */
function seal(id: Uint8Array, first: bigint, second: bigint, body: Uint8Array): bigint {
  const bytes = Buffer.allocUnsafe(id.length + 24 + body.length);
  bytes.writeBigUInt64LE(BigInt(id.length), 0);
  bytes.set(id, 8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, first), 8 + id.length);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, second), 16 + id.length);
  bytes.set(body, 24 + id.length);
  xxh3(bytes, 0, bytes.length, hash, 0);
  return BigInt.asIntN(64, (BigInt(hash[1] as number) << 32n) | BigInt(hash[0] as number));
}

const NONE = new Uint8Array();

export const sealRow = (id: Uint8Array, version: bigint, row: Uint8Array): bigint => seal(id, -1n, version, row);

export const sealRecord = (id: Uint8Array, revision: bigint, nonce: bigint, body: Uint8Array): bigint =>
  seal(id, revision, nonce, body);

/** Of a number that holds for the whole store: no session has the empty id. */
export const sealMeta = (key: bigint, value: bigint): bigint => seal(NONE, key, value, NONE);

/** Of an entry of the lookup. */
export const sealTerm = (term: Uint8Array, id: Uint8Array): bigint => seal(id, -2n, BigInt(term.length), term);
