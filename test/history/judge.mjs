// A process that took no part: reads every session back, and judges what the others did by the histories that they
// left. argv: JSON of { url, folder, traces }
import { isDeepStrictEqual } from 'node:util';
import { SessionRepository } from 'holdfast';
import { countKinds, judge, readFinal } from '../../dist/history/judge.js';
import { SESSIONS, advance, definition, idOf, openPlace, openPlays } from './sessions.mjs';

const FINDINGS_SHOWN = 5;

const { url, folder, traces } = JSON.parse(process.argv[2]);
const store = await openPlace(url);
await store.alone?.();
const sessions = new SessionRepository({ store, definition });
const { recorded, plays } = await openPlays(traces);

/** Whether the document is what so many steps make of it. */
function isRight({ document, step, keys }, play) {
  const expected = { step: 0 };
  // The first step of the last time round makes the whole state.
  for (expected.step = step - (step % play.length || play.length); expected.step < step;) advance(expected, play);
  return step === keys.length && isDeepStrictEqual(document, expected.document);
}

const finals = [];
const wrong = [];
for (let index = 0; index < SESSIONS; index += 1) {
  const id = idOf(index);
  try {
    const state = await sessions.read(id);
    finals.push(await readFinal(store, 'primary', id, state?.keys ?? []));
    if (state !== undefined && !isRight(state, plays[index % plays.length])) wrong.push(id);
  } catch (error) {
    wrong.push(`${id}: ${error.message}`);
  }
}
await sessions.close();
await store.close();
const { counts, findings } = judge(folder, finals);
const { kept, unknown, refused, failed, grants } = counts;
const shown = findings.slice(0, FINDINGS_SHOWN).map(({ kind, id, detail }) => `${kind}: ${id}: ${detail}`);
process.send(
  { recorded, acknowledged: kept, unknown, refused, failed, grants, found: countKinds(findings), shown, wrong },
  () => process.exit(0),
);
