import { describe, expect, it } from 'vitest';
import * as delta from '../../ts/delta.ts';
import type { Differ } from '../../ts/diff/differ.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { engines } from './engines.ts';

// oxlint-disable-next-line no-explicit-any -- calls that TypeScript would refuse
type Wrong = any;

const bytes = Buffer.from('some bytes, and some more bytes of them');
const same = Buffer.from([0]);

function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof HoldfastError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'taken';
}

/** What is wrong, the call, and a word that the message must have. */
const OPTIONS: readonly [string, () => unknown, string][] = [
  [
    'a misspelt option of signature',
    () => delta.signature(bytes, { chunkbytes: 64 } as Wrong),
    `is 'chunkBytes' meant?`,
  ],
  ['one of chunks', () => delta.signature(bytes, { averageBytes: 256 } as Wrong), 'there are chunkBytes'],
  ['a chunk as text', () => delta.signature(bytes, { chunkBytes: '64' } as Wrong), 'chunkBytes must be a power of two'],
  ['a chunk of 100 bytes', () => delta.signature(bytes, { chunkBytes: 100 }), 'from 64 to 65536, not 100'],
  ['a chunk of no bytes', () => delta.signature(bytes, { chunkBytes: null } as Wrong), 'not null'],
  ['a number for options', () => delta.signature(bytes, 64 as Wrong), 'signature: options must be an object'],
  ['null for options', () => delta.signature(bytes, null as Wrong), 'signature: options must be an object'],
  ['a misspelt option of chunks', () => delta.chunks(bytes, { average: 256 } as Wrong), `is 'averageBytes' meant?`],
  ['an average as a big integer', () => delta.chunks(bytes, { averageBytes: 256n } as Wrong), 'not a bigint'],
  ['an average too small', () => delta.chunks(bytes, { averageBytes: 128 }), 'from 256 to 1048576, not 128'],
  ['an array for options', () => delta.chunks(bytes, [256] as Wrong), 'not an array'],
  [
    'a misspelt option of toVcdiff',
    () => delta.toVcdiff(bytes, same, 99, { Checksum: true } as Wrong),
    `'checksum' meant?`,
  ],
  ['a checksum as a number', () => delta.toVcdiff(bytes, same, 99, { checksum: 1 } as Wrong), 'true or false, not 1'],
  ['a flag for options', () => delta.toVcdiff(bytes, same, 99, true as Wrong), 'toVcdiff: options must be an object'],
  [
    'a limit as text',
    () => delta.apply(bytes, same, '99' as Wrong),
    'limitBytes must be a whole number of bytes, not text',
  ],
  ['a limit that is no whole number', () => delta.fromVcdiff(bytes, same, 9.5), 'not 9.5'],
];

describe('what is no bytes is refused by its name and by what it is', () => {
  it.each<[string, () => unknown, string]>([
    ['text', () => delta.diff('x' as Wrong, bytes), 'base must be a Uint8Array, not text'],
    ['nothing', () => (delta.apply as Wrong)(bytes), 'delta must be a Uint8Array, not undefined'],
    [
      'a DataView',
      () => delta.signature(new DataView(new ArrayBuffer(1)) as Wrong),
      'must be a Uint8Array, not a DataView',
    ],
    ['a number', () => delta.fromVcdiff(bytes, 5 as Wrong, 9), 'vcdiff must be a Uint8Array, not 5'],
  ])('%s', (_what, call, says) => {
    expect(refusal(call)).toContain(`ERR_INVALID: `);
    expect(refusal(call)).toContain(says);
  });
});

describe('a wrong option is refused by name', () => {
  it.each(OPTIONS)('%s', (_what, call, word) => {
    expect(refusal(call)).toMatch(/^ERR_INVALID: /);
    expect(refusal(call)).toContain(word);
  });

  it('and undefined is as good as absent', () => {
    expect(delta.signature(bytes, { chunkBytes: undefined })).toEqual(delta.signature(bytes));
    expect(delta.chunks(bytes, {})).toEqual(delta.chunks(bytes));
    expect(delta.toVcdiff(bytes, same, 99, { checksum: undefined })).toEqual(delta.toVcdiff(bytes, same, 99));
  });
});

/** Every method, with `bad` in each place where bytes go; what it is called. */
function calls(engine: Differ, bad: Uint8Array): [string, () => unknown][] {
  const room = Buffer.alloc(200);
  const results = new Uint32Array(3);
  return [
    ['base', () => engine.diff(bad, bytes)],
    ['target', () => engine.diff(bytes, bad)],
    ['base', () => engine.diffInto(bad, bytes, room)],
    ['target', () => engine.diffInto(bytes, bad, room)],
    ['out', () => engine.diffInto(bytes, bytes, bad)],
    ['base', () => engine.apply(bad, same, 99)],
    ['delta', () => engine.apply(bytes, bad, 99)],
    ['base', () => engine.applyInto(bad, same, room)],
    ['delta', () => engine.applyInto(bytes, bad, room)],
    ['out', () => engine.applyInto(bytes, same, bad)],
    ['bytes', () => engine.applyInPlace(bad, same)],
    ['delta', () => engine.applyInPlace(room, bad)],
    ['deltas[0]', () => engine.applyChain(bytes, [bad], 99)],
    ['base', () => engine.signature(bad)],
    ['target', () => engine.diffSignature(engine.signature(bytes), bad)],
    ['bytes', () => engine.chunks(bad)],
    ['bases[0]', () => engine.diffBatch([bad], [bytes], room, results)],
    ['values[0]', () => engine.hashBatch([bad], results)],
  ];
}

function detached(): Uint8Array {
  const gone = new Uint8Array(100);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  return gone;
}

describe.each(engines)('memory that is not there, or not ours alone, is refused: $engine', (engine) => {
  it('detached', () => {
    for (const [name, call] of calls(engine, detached())) {
      expect(refusal(call)).toMatch(/^ERR_INVALID: .*detached/);
      expect(refusal(call)).toContain(`${name} is memory`);
    }
  });

  it('a part of what is detached', () => {
    const whole = new Uint8Array(100);
    const part = Buffer.from(whole.buffer, 10, 20);
    structuredClone(whole.buffer, { transfer: [whole.buffer] });
    expect(refusal(() => engine.diff(bytes, part))).toMatch(/^ERR_INVALID: target .*detached/);
  });

  it('shared with other threads', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(40));
    for (const [name, call] of calls(engine, shared)) {
      expect(refusal(call)).toMatch(/^ERR_INVALID: .*SharedArrayBuffer/);
      expect(refusal(call)).toContain(`${name} is memory`);
    }
  });

  it('but bytes that are none are taken', () => {
    const none = new Uint8Array(0);
    expect(Buffer.from(engine.diff(none, none))).toEqual(same);
    expect(engine.apply(none, same, 0)).toHaveLength(0);
    expect(engine.applyInto(none, same, none)).toBe(0);
    expect(engine.chunks(Buffer.alloc(0))).toEqual([]);
  });
});
