import { describe, expect, it } from 'vitest';
import type { Position } from '../../ts/position.ts';
import { RedisTails } from '../../ts/store/redis-tails.ts';
import type { Head, Tail } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { record } from './redis-records.ts';

const COUNT = 1000;
const isHere = (): boolean => true;

/** A server that has the first `ours` of our records, and behind them a rival's up to `revision`; it kept none before `first`. */
class Other {
  looks = 0;
  readonly offered: number[] = [];
  readonly #ours: number;
  readonly #revision: number;
  readonly #first: number;

  constructor(ours: number, revision: number, first = 1) {
    this.#ours = ours;
    this.#revision = revision;
    this.#first = first;
  }

  readonly look = async (_: string, since: Position): Promise<Tail> => {
    this.looks += 1;
    const position = { revision: this.#revision, nonce: this.#revision === this.#ours ? this.#revision : 99_999 };
    const head = { state: 'live', position, token: 0, first: this.#first } as Partial<Head> as Head;
    const isThere = since.revision <= this.#ours && since.revision >= this.#first;
    return { head, records: [], whole: !isThere };
  };

  readonly offer = async (_: string, { position }: { position: Position }): Promise<never> => {
    this.offered.push(position.revision);
    return { appended: true, token: 0, wanted: false } as never;
  };
}

async function rescued(other: Other): Promise<number[]> {
  const lost: number[] = [];
  const tails = new RedisTails(new VirtualClock(), (_, { revision }) => void lost.push(revision));
  for (let revision = 1; revision <= COUNT; revision += 1) tails.note('s', record(revision), 0);
  await tails.rescue(isHere, isHere, other);
  return lost;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('what a process appended last', () => {
  it('is brought to a server that lacks it, from where that ends', async () => {
    const other = new Other(990, 990);
    expect(await rescued(other)).toEqual([]);
    expect(other.offered).toEqual(range(991, 1000));
  });

  it.each([1, 400, 999])('is found out by few questions where a rival wrote behind record %i', async (ours) => {
    const other = new Other(ours, 1200);
    expect(await rescued(other)).toEqual(range(ours + 1, COUNT));
    expect(other.looks).toBeLessThan(15);
  });

  it('is told as lost where a compaction hides how much of it is there', async () => {
    expect(await rescued(new Other(400, 1200, 600))).toEqual(range(1, COUNT));
    expect(await rescued(new Other(700, 1200, 600))).toEqual(range(701, COUNT));
  });
});
