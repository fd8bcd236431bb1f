import fc from 'fast-check';

const text = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('__proto__', '\ud800', 'toJSON', 'constructor', 'length'),
);
const plain = fc.oneof(fc.integer(), fc.double(), fc.boolean(), text, fc.constant(null));
const key = fc.oneof(fc.string({ maxLength: 12 }), fc.nat(50).map(String));

/** What JSON and msgpackr keep as well, except that strings may be long. */
export const jsonValue: fc.Arbitrary<unknown> = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(
      fc.integer(),
      fc.double().map((n) => (Object.is(n, -0) ? 0 : n)),
      fc.boolean(),
      fc.constant(null),
      fc.string({ unit: 'grapheme', maxLength: 300 }),
    ),
    fc.array(tie('node'), { maxLength: 20 }),
    fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 40 }), tie('node'), { maxKeys: 20, noNullPrototype: true }),
  ),
})).node;

const opaque: fc.Arbitrary<unknown> = fc.oneof(
  fc.date({ noInvalidDate: true }),
  fc.uint8Array(),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.float32Array(),
  fc.bigInt64Array(),
  fc.uint8Array().map((bytes) => bytes.slice().buffer),
  fc.uint8Array().map((bytes) => new DataView(bytes.slice().buffer)),
);

function withHoles(elements: readonly unknown[], gaps: readonly boolean[], longer: number): unknown[] {
  const array = [...elements];
  gaps.forEach((gap, i) => {
    if (gap && i < array.length) Reflect.deleteProperty(array, i);
  });
  array.length += longer;
  return array;
}

function objectOf(entries: readonly [string, unknown][], bare: boolean): object {
  const object = (bare ? Object.create(null) : {}) as object;
  for (const [name, value] of entries)
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  return object;
}

/** Everything that the codec promises to keep. */
export const anyValue: fc.Arbitrary<unknown> = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(plain, fc.constant(undefined), fc.bigInt(), opaque),
    fc.array(tie('node'), { maxLength: 20 }),
    fc
      .tuple(fc.array(fc.tuple(fc.oneof(key, text), tie('node')), { maxLength: 20 }), fc.boolean())
      .map(([entries, bare]) => objectOf(entries, bare)),
    fc.array(fc.tuple(tie('node'), tie('node')), { maxLength: 18 }).map((entries) => new Map(entries)),
    fc.array(tie('node'), { maxLength: 18 }).map((elements) => new Set(elements)),
    fc
      .tuple(fc.array(tie('node'), { maxLength: 8 }), fc.array(fc.boolean()), fc.nat(200))
      .map(([elements, gaps, longer]) => withHoles(elements, gaps, longer)),
  ),
})).node;
