// Differs from npm, each with the settings that make its deltas shortest. `diff` gives what would be sent, as text;
// `apply` makes the target of it, or throws.
import fastJsonPatch from 'fast-json-patch';
import * as fossil from 'fossil-delta';
import mergePatch from 'json-merge-patch';
import * as jsondiffpatch from 'jsondiffpatch';
import * as withText from 'jsondiffpatch/with-text-diffs';
import microdiffModule from 'microdiff';
import * as rfc6902 from 'rfc6902';

const microdiff = microdiffModule.default ?? microdiffModule;
const objectHash = (value, index) => value.id ?? value.key ?? `$${index}`;
const plain = jsondiffpatch.create({ objectHash, omitRemovedValues: true });
const texts = withText.create({ objectHash, omitRemovedValues: true });
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A delta that is data. `find` is what is timed against `diff` on live values. */
const structural = (find, apply) => ({
  find,
  diff: (base, target) => JSON.stringify(find(base, target)) ?? '',
  apply: (base, delta) => apply(structuredClone(base), delta === '' ? undefined : JSON.parse(delta)),
});

export const peers = {
  microdiff: {
    ...structural(microdiff, applyMicrodiff),
    // Without the old values, of which nothing is needed to apply it.
    diff: (base, target) =>
      JSON.stringify(microdiff(base, target).map(({ type, path, value }) => ({ type, path, value }))),
  },
  jsondiffpatch: structural(
    (base, target) => plain.diff(base, target),
    (base, delta) => plain.patch(base, delta),
  ),
  'jsondiffpatch, text': structural(
    (base, target) => texts.diff(base, target),
    (base, delta) => texts.patch(base, delta),
  ),
  rfc6902: structural(
    (base, target) => rfc6902.createPatch(base, target),
    (base, patch) => {
      const holder = { value: base };
      for (const error of rfc6902.applyPatch(
        holder,
        patch.map((one) => ({
          ...one,
          path: `/value${one.path}`,
          ...(one.from === undefined ? {} : { from: `/value${one.from}` }),
        })),
      ))
        if (error !== null) throw error;
      return holder.value;
    },
  ),
  'fast-json-patch': structural(
    (base, target) => fastJsonPatch.compare(base, target),
    (base, patch) => fastJsonPatch.applyPatch(base, patch).newDocument,
  ),
  'json-merge-patch': structural(
    (base, target) => mergePatch.generate(base, target),
    (base, patch) => (patch === undefined ? base : mergePatch.apply(base, patch)),
  ),
  'fossil-delta on JSON': {
    find: undefined,
    diff: (base, target) =>
      decoder.decode(
        Uint8Array.from(
          fossil.createDelta(encoder.encode(JSON.stringify(base)), encoder.encode(JSON.stringify(target))),
        ),
      ),
    apply: (base, delta) =>
      JSON.parse(
        decoder.decode(Uint8Array.from(fossil.applyDelta(encoder.encode(JSON.stringify(base)), encoder.encode(delta)))),
      ),
  },
};

/** It has no apply of its own. Of removals from an array the last comes first. */
function applyMicrodiff(base, changes) {
  let root = base;
  for (const { type, path, value } of [
    ...changes.filter(({ type: one }) => one !== 'REMOVE'),
    ...changes.filter(({ type: one }) => one === 'REMOVE').reverse(),
  ]) {
    if (path.length === 0) {
      root = value;
      continue;
    }
    const holder = path.slice(0, -1).reduce((at, step) => at[step], root);
    const last = path.at(-1);
    if (type !== 'REMOVE') holder[last] = value;
    else if (Array.isArray(holder)) holder.splice(last, 1);
    else delete holder[last];
  }
  return root;
}
