import { expect, it } from 'vitest';
import { check } from '../../ts/history/check.ts';
import type { CheckOptions, Final, Verdict } from '../../ts/history/check.ts';
import type { FindingKind } from '../../ts/history/finding.ts';
import type { Mark } from '../../ts/history/mark.ts';
import { Story } from './story.ts';

export type Told = (story: Story) => readonly Final[] | void;

/** What must be found, the history that has it, and a near twin that has nothing. */
export interface Pair {
  readonly about: string;
  readonly kind: FindingKind;
  readonly wrong: Told;
  readonly right: Told;
  readonly options?: CheckOptions;
}

/** What must not be taken for a fault, though it looks like one. */
export interface Allowed {
  readonly about: string;
  readonly told: Told;
  readonly options?: CheckOptions;
}

export const EXACT: CheckOptions = { expiry: { slackMs: 0, lateMs: 1000 } };

export function verdict(told: Told, options?: CheckOptions): Verdict & { readonly marks: readonly Mark[] } {
  const story = new Story();
  const finals = told(story) ?? [];
  return { ...check(story.marks, finals, options), marks: story.marks };
}

export function testPairs(pairs: readonly Pair[]): void {
  it.each(pairs)('$kind: $about', ({ kind, wrong, options }) => {
    const { findings, marks } = verdict(wrong, options);
    expect(findings.map((finding) => finding.kind)).toContain(kind);
    for (const finding of findings) for (const index of finding.marks) expect(marks[index]).toBeDefined();
  });

  it.each(pairs)('nothing: the twin of "$about"', ({ right, options }) => {
    expect(verdict(right, options).findings).toEqual([]);
  });
}

export function testAllowed(allowed: readonly Allowed[]): void {
  it.each(allowed)('$about', ({ told, options }) => {
    expect(verdict(told, options).findings).toEqual([]);
  });
}
