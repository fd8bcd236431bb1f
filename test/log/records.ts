import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { encodeDeltaBody, encodeAliasBody } from '../../ts/log/body.ts';
import { ByteWriter } from '../../ts/log/bytes.ts';
import { encodeDirectory } from '../../ts/log/image.ts';
import type { LogRecord, RecordParent } from '../../ts/log/record.ts';

/** Records that follow their parent, of every kind. */
export const ID = 'session-ä';
export const LIMIT: number = 1 << 20;

const uint32 = fc.nat(0xffffffff);
const uint48 = fc.oneof(
  fc.maxSafeNat().map((n) => n % 2 ** 48),
  fc.constantFrom(0, 1, 2 ** 48 - 1),
);
const revisions = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat().map((n) => Math.min(n, 2 ** 53 - 2)),
);
const bytes = fc.uint8Array({ maxLength: 40 });

export const names: fc.Arbitrary<string[]> = fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 10 }), {
  maxLength: 12,
});
export const versionsOf = (keys: readonly string[]): fc.Arbitrary<Map<string, number>> =>
  fc
    .array(
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
      { minLength: keys.length, maxLength: keys.length },
    )
    .map(
      (versions) =>
        new Map(keys.flatMap((name, index) => (versions[index] === 0 ? [] : [[name, versions[index] as number]]))),
    );

const OPS = ['put', 'binary', 'graph'] as const;

const deltaBody = fc
  .tuple(
    fc.uniqueArray(fc.string({ maxLength: 5 }), { minLength: 1, maxLength: 12 }),
    fc.oneof(fc.constant(new Uint8Array(0)), bytes),
    fc.array(bytes, { maxLength: 12 }),
  )
  .map(([keys, directoryDelta, values]) =>
    encodeDeltaBody(
      encodeDirectory(keys),
      directoryDelta,
      values
        .slice(0, keys.length)
        .map((value, index) => ({ name: keys[index] as string, op: OPS[index % OPS.length]!, bytes: value })),
    ),
  );
const kindAndBody: fc.Arbitrary<Pick<LogRecord, 'kind' | 'body'>> = fc.oneof(
  deltaBody.map((body) => ({ kind: 'delta' as const, body })),
  bytes.map((body) => ({ kind: 'snapshot' as const, body })),
  fc.constant({ kind: 'tombstone' as const, body: new Uint8Array(0) }),
  fc
    .tuple(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }), uint48)
    .map(([id, until]) => ({ kind: 'alias' as const, body: encodeAliasBody({ id, until }) })),
);

const parents: fc.Arbitrary<RecordParent> = fc.record({
  revision: revisions,
  nonce: uint48,
  time: uint48,
  token: fc.oneof(
    fc.nat(300),
    fc.nat(2 ** 31).map((n) => n * 2 ** 20),
  ),
});
const extensions = fc.option(
  fc.tuple(fc.nat(127), fc.uint8Array({ maxLength: 200 })).map(([type, rest]) => Uint8Array.of(type, ...rest)),
  { nil: undefined },
);

export const records: fc.Arbitrary<{ record: LogRecord; parent: RecordParent }> = fc
  .tuple(
    parents,
    kindAndBody,
    uint48,
    uint48,
    fc.oneof(
      fc.constant(0),
      fc.nat(1000),
      fc.nat(2 ** 31).map((n) => n * 2 ** 20),
    ),
    uint32,
    uint32,
    extensions,
  )
  .map(([parent, body, nonce, time, raise, low, high, extension]) => ({
    parent,
    record: {
      ...body,
      revision: parent.revision + 1,
      nonce,
      parentNonce: parent.nonce,
      time,
      token: parent.token + raise,
      digest: { low, high: body.kind === 'delta' ? 0 : high },
      ...(extension && { extension }),
    },
  }));

/** What a delta record of a test is made of: one attribute, changed by so many bytes. */
export function oneField(bytes: Uint8Array): Uint8Array {
  return encodeDeltaBody(encodeDirectory(['a', 'b']), new Uint8Array(0), [{ name: 'b', op: 'binary', bytes }]);
}

/**
 * These bytes, and the checksum that makes a record of them: of a delta behind `parent`, or of one that stands alone.
 */
export function seal(content: Uint8Array, parent?: RecordParent): Buffer {
  const context = new ByteWriter(16);
  if (parent !== undefined) {
    context.varint(parent.revision + 1);
    context.uint48(parent.nonce);
  }
  const out = new ByteWriter(content.length + 4);
  out.raw(content);
  out.uint32(crc32(content, crc32(context.finish(), crc32(ID))));
  return out.finish();
}
