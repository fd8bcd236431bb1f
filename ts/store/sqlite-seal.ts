import { xxh3 } from '../xxh3.ts';

const hash = new Uint32Array(2);

/** As in the addon: over the key and its length, the two numbers, and the bytes. */
export function seal(id: Buffer, first: bigint, second: bigint, body: Uint8Array): bigint {
  const bytes = Buffer.allocUnsafe(id.length + 24 + body.length);
  bytes.writeBigUInt64LE(BigInt(id.length), 0);
  id.copy(bytes, 8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, first), 8 + id.length);
  bytes.writeBigUInt64LE(second, 16 + id.length);
  bytes.set(body, 24 + id.length);
  xxh3(bytes, 0, bytes.length, hash, 0);
  return BigInt.asIntN(64, (BigInt(hash[1] as number) << 32n) | BigInt(hash[0] as number));
}
