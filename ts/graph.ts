/**
 * Deltas between values: what turns one, the base, into another, the target, part by part. Values are what sessions
 * keep (README), compared exactly: types, key order, holes, -0 and NaN included. The delta is drawn in
 * `crates/delta/FORMAT.md`.
 */
import { HoldfastError } from './errors.ts';
import { count, describe, flag, checkOptions, listOf, withMethods, type Rule, type Rules } from './options.ts';
import type { Codec } from './codec/codec.ts';
import { Fault, refusal } from './codec/fault.ts';
import { codecOf } from './codec/msgpack.ts';
import type { ValueType } from './codec/value-types.ts';
import { changesOf, type Change } from './graph/changes.ts';
import { compare } from './graph/compare.ts';
import { comparisonOf } from './graph/comparison.ts';
import { changesIn } from './graph/references.ts';
import { patchOf, type JsonPatchOperation } from './graph/json-patch.ts';
import { patched } from './graph/json-patched.ts';
import { ABSENT, type Conflict } from './conflict.ts';
import { mergePolicy, type MergePolicy } from './graph/merge.ts';
import { mergeSides } from './graph/merge-sides.ts';
import { applyDelta, checkSize, makeDelta } from './graph/delta.ts';
import { checkTree } from './graph/places.ts';
import { EncodedSide, LiveSide, type Side } from './graph/side.ts';
import { valueCodec, withCodec } from './graph/values.ts';

export type { Change } from './graph/changes.ts';
export type { JsonPatchOperation } from './graph/json-patch.ts';
export { ABSENT, type Conflict } from './conflict.ts';
export type { MergePolicy } from './graph/merge.ts';
export { HoldfastError, type ErrorCode } from './errors.ts';
export type { Path, PathStep, CollectionStep } from './path.ts';

export interface GraphOptions {
  /** Values in and out are canonical bytes, as sessions are kept. Default: false. */
  readonly bytes?: boolean | undefined;
  /**
   * In values that are not bytes no object is in several places, nor in itself, and nobody has to look. Default: false;
   * then all of both is gone through before it is compared.
   */
  readonly trees?: boolean | undefined;
  /** Of a value's bytes, of what a delta brings, and of what it makes of texts and bytes. Default: 16 MiB. */
  readonly limitBytes?: number | undefined;
  /** Classes whose instances are kept, as in the definition of sessions: what `valueType` gives. */
  readonly types?: readonly ValueType[] | undefined;
}

export interface MergeOptions extends GraphOptions {
  /** What becomes of parts that both sides have changed. Default: `'fail'`. */
  readonly merge?: MergePolicy | undefined;
}

/** A merged value, or all that stands against one. */
export type Merged = { readonly value: unknown } | { readonly conflicts: readonly Conflict[] };

const LIMIT_BYTES = 16 * 1_048_576;
const types: Rule = listOf(withMethods('what valueType gives,', 'toData', 'fromData'));
const RULES: Rules = { bytes: flag, trees: flag, limitBytes: count(0), types };

const MERGE_RULES: Rules = { ...RULES, merge: mergePolicy };

interface Checked {
  readonly codec: Codec;
  readonly bytes: boolean;
  readonly trees: boolean;
  readonly limitBytes: number;
}

/** Checks the options of a verb, and runs it on values of the classes that they name. */
function running<T>(verb: string, options: GraphOptions | undefined, run: (checked: Checked) => T): T {
  if (options !== undefined) checkOptions(`graph.${verb}`, options, verb === 'merge' ? MERGE_RULES : RULES);
  const { bytes = false, trees = false, limitBytes = LIMIT_BYTES, types: kept = [] } = options ?? {};
  const codec = codecOf(kept);
  return withCodec(codec, () => run({ bytes, trees, limitBytes, codec }));
}

function checkBytes(verb: string, value: unknown, name: string): asserts value is Uint8Array {
  if (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer) return;
  throw new HoldfastError('ERR_INVALID', `graph.${verb}: ${name} must be a Uint8Array, not ${describe(value)}`);
}

function side(verb: string, value: unknown, name: string, { bytes, trees, limitBytes }: Checked): Side {
  if (!bytes) return new LiveSide(value, name, trees);
  checkBytes(verb, value, name);
  checkSize(value.length, limitBytes);
  return new EncodedSide(value, name);
}

/** What cannot be kept is named by the codec, which knows the path to it. */
function named<T>(sides: readonly (readonly [side: Pick<Side, 'value'>, name: string])[], run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof HoldfastError && cause.code !== 'ERR_INVALID') throw cause;
    for (const [{ value }, name] of sides) valueCodec().look(value, name);
    throw cause instanceof Fault ? refusal(cause, 'value') : cause;
  }
}

/**
 * A new delta that turns `base` into `target`: 1 byte where they are equal. Parts that both share (`===`) are not compared.
 *
 * @throws HoldfastError `ERR_INVALID` naming the path of what cannot be kept where it was met, and for wrong options;
 * `ERR_LIMIT` for too deep nesting.
 */
export function diff(base: unknown, target: unknown, options?: GraphOptions): Uint8Array {
  return running('diff', options, (checked) => {
    const from = side('diff', base, 'base', checked);
    const to = side('diff', target, 'target', checked);
    const delta = named(
      [
        [from, 'base'],
        [to, 'target'],
      ],
      () => makeDelta(from, to),
    );
    checkSize(delta.length, checked.limitBytes);
    return delta;
  });
}

/**
 * The target, as a new value; `base` is never changed, whether this ends well or not. Parts that the delta does not
 * touch are those of `base` itself, shared: copy them before you change them in place. Where something is in several
 * places before or after, all is new.
 *
 * @throws HoldfastError `ERR_CORRUPT` for a delta that is damaged or was made for another base (found with a
 * probability of 65,535 in 65,536, as far as the changed parts tell; of what lies elsewhere nothing is looked at);
 * `ERR_LIMIT` over the limit; `ERR_INVALID` for a wrong argument.
 */
export function apply(base: unknown, delta: Uint8Array, options?: GraphOptions): unknown {
  return running('apply', options, (checked) => {
    checkBytes('apply', delta, 'delta');
    const from = side('apply', base, 'base', checked);
    const target = named([[from, 'base']], () => applyDelta(from, delta, checked.limitBytes));
    if (!checked.bytes) return target.value;
    const bytes = target.bytes();
    checkSize(bytes.length, checked.limitBytes);
    return bytes;
  });
}

/**
 * The delta from the target of `delta` back to `base`.
 *
 * @throws HoldfastError as `apply`.
 */
export function invert(base: unknown, delta: Uint8Array, options?: GraphOptions): Uint8Array {
  return running('invert', options, (checked) => {
    checkBytes('invert', delta, 'delta');
    const from = side('invert', base, 'base', checked);
    return named([[from, 'base']], () => makeDelta(applyDelta(from, delta, checked.limitBytes), from));
  });
}

/**
 * What `diff` would say, to be read: the values in it are parts of `target` itself. What is in several places is told in
 * one of them.
 *
 * @throws HoldfastError as `diff`.
 */
export function changes(base: unknown, target: unknown, options?: GraphOptions): Change[] {
  return running('changes', options, (checked) => {
    const from = side('changes', base, 'base', checked);
    const to = side('changes', target, 'target', checked);
    return named(
      [
        [from, 'base'],
        [to, 'target'],
      ],
      () => changesIn(comparisonOf(from, to)),
    );
  });
}

/**
 * The operations of a JSON Patch (RFC 6902) that make `target` of `base`; the values in it are parts of `target` itself.
 * Where only the order of an object's keys differs there are none: JSON does not tell it.
 *
 * @throws HoldfastError `ERR_INVALID` naming the path of a change that JSON cannot tell (a Map, undefined, NaN, …).
 */
export function toJsonPatch(base: unknown, target: unknown, options?: GraphOptions): JsonPatchOperation[] {
  return running('toJsonPatch', options, (checked) => {
    const from = side('toJsonPatch', base, 'base', checked);
    const to = side('toJsonPatch', target, 'target', checked);
    return named(
      [
        [from, 'base'],
        [to, 'target'],
      ],
      () => {
        checkTree(from, 'base');
        checkTree(to, 'target');
        return patchOf(changesOf(compare(from.value, to.value, 0)), to.value);
      },
    );
  });
}

/**
 * The delta, as `diff` makes it, to what a JSON Patch (RFC 6902) makes of `base`. Its pointers lead into plain objects
 * and arrays, by own properties alone.
 *
 * @throws HoldfastError `ERR_INVALID` for a patch that is none, `ERR_CONFLICT` for one that does not fit `base` (a failed
 * `test`, a place that is not there; `paths` has it), `ERR_LIMIT` for one that makes it too large.
 */
export function fromJsonPatch(base: unknown, patch: readonly JsonPatchOperation[], options?: GraphOptions): Uint8Array {
  return running('fromJsonPatch', options, (checked) => {
    const from = side('fromJsonPatch', base, 'base', checked);
    checkTree(from, 'base');
    const to = new LiveSide(patched(from.value, patch, checked.limitBytes), 'target');
    return named(
      [
        [from, 'base'],
        [to, 'target'],
      ],
      () => makeDelta(from, to),
    );
  });
}

/**
 * What both sides have made of `base`, together. What only one side has changed is as that side has it; elements that
 * both have put in one place are both there, theirs first; what one has deleted and the other only moved is gone.
 * A part that both have changed, be it alike, is for the policy. Texts and bytes are such parts as a whole. The value
 * shares parts with all three, but where something is in several places of one: then that stays one object, and the
 * three are one part where it cannot, as of what one side has taken out and the other refers to.
 *
 * @throws HoldfastError as `diff`; whatever a function of the policy throws comes through.
 */
export function merge(base: unknown, mine: unknown, theirs: unknown, options?: MergeOptions): Merged {
  return running('merge', options, (checked) => {
    const [from, one, other] = [
      side('merge', base, 'base', checked),
      side('merge', mine, 'mine', checked),
      side('merge', theirs, 'theirs', checked),
    ];
    const given = options?.merge ?? 'fail';
    const policy = checked.bytes && typeof given === 'function' ? inBytes(given) : given;
    const { value, conflicts } = named(
      [
        [from, 'base'],
        [one, 'mine'],
        [other, 'theirs'],
      ],
      () => mergeSides(policy, [], ['value'], { base: from, mine: one, theirs: other }),
    );
    if (conflicts.length > 0) return { conflicts: checked.bytes ? conflicts.map(encodedConflict) : conflicts };
    if (value === ABSENT)
      throw new HoldfastError('ERR_INVALID', 'the merge policy left nothing: it gave ABSENT for the whole');
    return { value: checked.bytes ? encoded(value) : value };
  });
}

const encoded = (value: unknown): unknown => (value === ABSENT ? ABSENT : valueCodec().encode(value, 'value'));

const encodedConflict = ({ path, base, mine, theirs }: Conflict): Conflict => ({
  path,
  base: encoded(base),
  mine: encoded(mine),
  theirs: encoded(theirs),
});

/** A function of the policy that is given bytes, and gives them. */
function inBytes(decide: (conflict: Conflict) => unknown): (conflict: Conflict) => unknown {
  return (conflict) => {
    const made = decide(encodedConflict(conflict));
    if (made === ABSENT) return ABSENT;
    checkBytes('merge', made, 'what the policy gave');
    return new EncodedSide(made, 'what the policy gave').value;
  };
}

/**
 * The bytes that the same value has when it is written afresh: those of equal values are equal, whatever they were
 * before. Kept values whose objects are in several places may differ in what these are called.
 *
 * @throws HoldfastError `ERR_CORRUPT` for bytes that are none of a value; `ERR_INVALID` for other arguments, and for a
 * class that `types` do not have; `ERR_LIMIT` over the limit.
 */
export function canonical(bytes: Uint8Array, options?: Omit<GraphOptions, 'bytes' | 'trees'>): Uint8Array {
  return running('canonical', options, ({ limitBytes, codec }) => {
    checkBytes('canonical', bytes, 'bytes');
    checkSize(bytes.length, limitBytes);
    return codec.encode(codec.decode(bytes, 'value'), 'value');
  });
}
