import assert from 'node:assert/strict';
import type { Clauses, Place } from './place.ts';
import { appendClauses } from './append-clauses.ts';
import { argumentClauses } from './argument-clauses.ts';
import { callClauses } from './call-clauses.ts';
import { expiryClauses } from './expiry-clauses.ts';
import { hintClauses } from './hint-clauses.ts';
import { lockClauses } from './lock-clauses.ts';
import { logClauses } from './log-clauses.ts';
import { queueClauses } from './queue-clauses.ts';
import { replaceClauses } from './replace-clauses.ts';
import { requestClauses } from './request-clauses.ts';
import { sweepClauses } from './sweep-clauses.ts';
import { touchClauses } from './touch-clauses.ts';
import { worldClauses } from './world-clauses.ts';

/** What a test runner gives: node:test, vitest, mocha and jest fit. */
export interface Runner {
  readonly describe: (name: string, run: () => void) => unknown;
  readonly it: ((name: string, run: () => Promise<void>) => unknown) & {
    readonly skip: (name: string, run: () => Promise<void>) => unknown;
  };
}

export interface StoreSuiteOptions {
  /** Of the store. */
  readonly name: string;
  /** Called for every test: an empty place with two connections, whose stores do not sweep of their own accord. */
  open(): Promise<Place>;
  /** By test name: why this store does not keep that clause. */
  readonly skips?: Readonly<Record<string, string>> | undefined;
}

const GROUPS: Readonly<Record<string, Clauses>> = {
  'keeps a log': logClauses,
  appends: appendClauses,
  'appends under a request': requestClauses,
  replaces: replaceClauses,
  locks: lockClauses,
  queues: queueClauses,
  expires: expiryClauses,
  'is touched': touchClauses,
  sweeps: sweepClauses,
  'sends hints': hintClauses,
  'has epochs and lists': worldClauses,
  'bounds its calls': callClauses,
  'names the faults of its callers': argumentClauses,
};

/** The store contract as tests: one for each of its clauses. Every store must pass them, or say why not. */
export function storeSuite({ describe, it }: Runner, { name, open, skips = {} }: StoreSuiteOptions): void {
  const names = Object.values(GROUPS).flatMap((clauses) => Object.keys(clauses));
  const unknown = Object.keys(skips).filter((skip) => !names.includes(skip));
  assert.deepEqual(unknown, [], 'skips name tests of the suite');
  for (const [group, clauses] of Object.entries(GROUPS)) {
    describe(`${name} ${group}`, () => {
      for (const [clause, run] of Object.entries(clauses)) {
        const reason = skips[clause];
        if (reason === undefined) it(clause, () => inPlace(open, run));
        else it.skip(`${clause} (skipped: ${reason})`, () => inPlace(open, run));
      }
    });
  }
}

async function inPlace(open: () => Promise<Place>, run: (place: Place) => Promise<void>): Promise<void> {
  const place = await open();
  try {
    await run(place);
  } finally {
    await place.cleanUp();
  }
}
