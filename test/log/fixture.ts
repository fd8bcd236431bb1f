import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { loadDiffer } from '../../ts/diff/engine.ts';
import { encodeAliasBody, encodeDeltaBody, encodeSnapshotBody } from '../../ts/log/body.ts';
import { Image } from '../../ts/log/image.ts';
import { NO_PARENT, encodeRecord } from '../../ts/log/record.ts';
import type { LogRecord, RecordParent } from '../../ts/log/record.ts';
import { NOTHING } from '../../ts/sync/compare.ts';
import { compare } from '../sync/compared.ts';
import type { Differencing } from '../../ts/sync/differencing.ts';
import type { Line } from '../../ts/sync/line.ts';

/** A log with everything that format version 1 has, and the states that it leads through. */
export const ID = 'fixture-ä';
export const LIMIT_BYTES = 1_000_000;

const TEXT = 'the quick brown fox jumps over the lazy dog '.repeat(8);
const first = {
  text: TEXT,
  list: [1, -2, 3.5, null, true, { a: 'b' }] as unknown[],
  map: new Map<unknown, unknown>([
    ['k', 1],
    [2, { deep: [1] }],
  ]),
  set: new Set(['x', 7]),
  at: new Date(Date.UTC(2026, 10, 23)),
  bytes: Buffer.from([0, 1, 254, 255]),
  big: 12345678901234567890n,
  zero: -0,
  none: undefined as undefined,
};
const second = { ...first, text: TEXT.replace('lazy', 'sleepy') };
const third = {
  ...second,
  text: second.text.replace('quick', 'slow').replace(/dog $/, 'cat'),
  list: [...first.list, { added: 'here' }],
  map: new Map([...first.map, ['k', 2]]),
};
const { none: _none, ...rest } = third;
const fourth = { ...rest, zero: 0, extra: 'new', '': 'no name', bytes: Buffer.alloc(600, 7) };
const fifth = { ...fourth, large: 'sixteen thousand '.repeat(1000) };
const sixth = { ...fifth, text: 'after a snapshot' };
const seventh = { extra: 'first now', text: third.text, list: [1, -2], count: 1 };
const rows = Array.from({ length: 12 }, (_, id) => ({ id, name: `row ${id}`, price: id + 0.25 }));
const eighth = { ...seventh, rows };
const ninth = { ...seventh, rows: [...rows.slice(5), { ...rows[0]!, price: 9.99 }, ...rows.slice(2, 5)] };

interface Step {
  readonly state: Record<string, unknown>;
  readonly kind: LogRecord['kind'];
  /** Since the step before. */
  readonly ms: number;
  readonly raise?: number;
  readonly versions?: ReadonlyMap<string, number>;
  readonly extension?: Uint8Array;
  readonly differencing?: Differencing;
}

export const STEPS: readonly Step[] = [
  { state: first, kind: 'snapshot', ms: 1_795_000_000_000 },
  { state: second, kind: 'delta', ms: 40 },
  { state: third, kind: 'delta', ms: -1_500, raise: 2 },
  {
    state: fourth,
    kind: 'delta',
    ms: 86_400_000,
    versions: new Map([
      ['list', 2],
      ['', 300],
    ]),
  },
  { state: fifth, kind: 'delta', ms: 1, raise: 2 ** 32 },
  { state: fifth, kind: 'snapshot', ms: 7 },
  { state: sixth, kind: 'delta', ms: 0, extension: Uint8Array.of(1, 0xab, 0xcd) },
  { state: seventh, kind: 'delta', ms: 3_000, versions: new Map() },
  { state: eighth, kind: 'delta', ms: 20 },
  { state: ninth, kind: 'delta', ms: 20, differencing: 'graph' },
  { state: ninth, kind: 'alias', ms: 5 },
  { state: ninth, kind: 'tombstone', ms: 5 },
];

const lineFor = (differencing: Differencing): Line =>
  ({ codec: msgpackCodec, differ: loadDiffer(), differencing, limitBytes: LIMIT_BYTES }) as unknown as Line;

/**
 * What this version of Holdfast writes for `STEPS`, with nonces that are not random. The last two both follow the last
 * delta.
 */
export function writeFixture(): Buffer[] {
  const image = new Image();
  const log: Buffer[] = [];
  let parent: RecordParent = NO_PARENT;
  let time = 0;
  for (const [index, step] of STEPS.entries()) {
    time += step.ms;
    const made =
      step.kind === 'delta' || step.kind === 'snapshot'
        ? advance(image, step, step.kind)
        : {
            body:
              step.kind === 'alias'
                ? encodeAliasBody({ id: 'the-new-ä', until: 1_795_000_060_000 })
                : new Uint8Array(0),
            digest: { low: 0, high: 0 },
          };
    const head = {
      revision: parent.revision + 1,
      nonce: 0x010203040506 * (index + 1),
      parentNonce: parent.nonce,
      time,
      token: Math.max(1, parent.token) + (step.raise ?? 0),
    };
    const record: LogRecord = {
      kind: step.kind,
      ...head,
      ...made,
      ...(step.extension && { extension: step.extension }),
    };
    log.push(encodeRecord(ID, record, parent, 'auto'));
    if (step.kind !== 'alias') parent = record;
  }
  return log;
}

function advance(
  image: Image,
  { state, versions, differencing = 'binary' }: Step,
  kind: 'delta' | 'snapshot',
): Pick<LogRecord, 'body' | 'digest'> {
  const names = Object.keys(state);
  const difference =
    compare(lineFor(differencing), image, { touched: names, names, versions, value: (name) => state[name] }) ?? NOTHING;
  const staged = image.stage(difference.directory, difference.values);
  const body =
    kind === 'snapshot'
      ? encodeSnapshotBody(image, staged)
      : encodeDeltaBody(difference.directory ?? image.directory, difference.directoryDelta, difference.changes);
  image.accept(staged, image.position);
  return { body, digest: staged.digest };
}
