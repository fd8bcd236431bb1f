import type { Codec } from '../../ts/codec/codec.ts';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import type { Differ } from '../../ts/diff/differ.ts';
import { jsDiffer } from '../../ts/diff/js.ts';
import { encodeDeltaBody, encodeSnapshotBody } from '../../ts/log/body.ts';
import { Image } from '../../ts/log/image.ts';
import { NO_PARENT, decodeRecord, encodeRecord } from '../../ts/log/record.ts';
import type { LogRecord, RecordParent } from '../../ts/log/record.ts';
import { NOTHING } from '../../ts/sync/compare.ts';
import { compare } from './compared.ts';
import type { Differencing } from '../../ts/sync/differencing.ts';
import type { Line } from '../../ts/sync/line.ts';
import { Replay } from '../../ts/sync/replay.ts';

export const ID = 's';
export const LIMIT: number = 1 << 24;

export type State = Record<string, unknown>;

/** A session's log as its writer makes it: a snapshot first, then deltas. */
export class Writer {
  readonly image: Image = new Image();
  readonly log: Buffer[] = [];
  parent: RecordParent = NO_PARENT;
  readonly #line: Line;

  constructor(differencing: Differencing = 'binary', differ: Differ = jsDiffer) {
    this.#line = { codec: msgpackCodec as Codec, differ, differencing, limitBytes: LIMIT } as Line;
  }

  save(
    state: State,
    options: { versions?: Map<string, number>; snapshot?: boolean; compress?: 'auto' | 'off' } = {},
  ): LogRecord {
    const names = Object.keys(state);
    const difference =
      compare(this.#line, this.image, {
        touched: names,
        names,
        versions: options.versions,
        value: (name) => state[name],
      }) ?? NOTHING;
    const staged = this.image.stage(difference.directory, difference.values);
    const whole = options.snapshot ?? this.log.length === 0;
    const body = whole
      ? encodeSnapshotBody(this.image, staged)
      : encodeDeltaBody(difference.directory ?? this.image.directory, difference.directoryDelta, difference.changes);
    const { revision, nonce, time, token } = this.parent;
    const record: LogRecord = {
      kind: whole ? 'snapshot' : 'delta',
      revision: revision + 1,
      nonce: nonce + 1,
      parentNonce: nonce,
      time: time + 5,
      token,
      digest: staged.digest,
      body,
    };
    this.log.push(encodeRecord(ID, record, this.parent, options.compress ?? 'auto'));
    this.image.accept(staged, record);
    this.parent = record;
    return record;
  }
}

/** The image after these records, read in one go from `image` on. */
export function read(
  log: readonly Uint8Array[],
  image: Image = new Image(),
  parent: RecordParent = NO_PARENT,
): { image: Image; parent: RecordParent; changed: ReadonlySet<string> | 'all' } {
  const replay = new Replay(ID, image, jsDiffer, LIMIT);
  let last = parent;
  for (const bytes of log) {
    const record = decodeRecord(ID, bytes, last, last.revision + 1, LIMIT);
    replay.add(record);
    last = record;
  }
  return { changed: replay.finish(), image, parent: last };
}

export const stateOf = (image: Image): State =>
  Object.fromEntries(
    image.directory.names.map((name) => [name, msgpackCodec.decode(image.value(name)?.bytes as Uint8Array)]),
  );
