import { nested, notNegative, oneOf, positive } from '../options.ts';
import type { Rule } from '../options.ts';
import type { OutageOptions } from './store.ts';

/** `OutageOptions` with nothing left open. */
export interface OutageTerms {
  readonly failMs: number;
  readonly policy: 'fail' | 'serve-local';
  readonly queueBytes: number;
}

const DEFAULTS: OutageTerms = { failMs: 250, policy: 'fail', queueBytes: 8 << 20 };

/** What `options` leave open is as `before` has it. Undefined: nobody has said anything. */
export function termsOf(before: OutageTerms | undefined, options: OutageOptions | undefined): OutageTerms | undefined {
  if (options === undefined) return before;
  const { failMs, policy, queueBytes } = before ?? DEFAULTS;
  return {
    failMs: options.failMs ?? failMs,
    policy: options.policy ?? policy,
    queueBytes: options.queueBytes ?? queueBytes,
  };
}

export const outageRule: Rule = nested({
  failMs: positive,
  policy: oneOf('fail', 'serve-local'),
  queueBytes: notNegative,
});
