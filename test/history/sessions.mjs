// What the processes of a history work on: sessions whose documents go through the states of recorded traces, and have
// a list of keys.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineSession, mutable, openStore } from 'holdfast';
import { applyEdits, openTrace } from '../../dist/cli/trace.js';
import { RemoteStore } from './remote-store.mjs';

export const SESSIONS = 24;
export const LEASE_MS = 300;
export const idOf = (index) => `session-${index}`;

/** `step`: how many steps the document has gone, over and over; whoever opens the session does the next. */
export const definition = defineSession({ document: mutable(), step: mutable(() => 0), keys: mutable(() => []) });

/** An address of `openStore`, or `socket:` and the path of a memory-server's. */
export const openPlace = (url) =>
  url.startsWith('socket:') ? RemoteStore.connect(url.slice('socket:'.length)) : openStore(url);

/** Mulberry32 (T. Ettinger, public domain): a number below its argument. */
export function drawsOf(seed) {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const NONE = new Set();
/** Edits, and whole states. */
const TRACES = [
  ['agent-taubench.jsonl.br', 12],
  ['hist-fastify-pkg.jsonl.br', 1],
];
const MOST_STEPS = 120;

/**
 * The plays that the sessions follow in turn: each a list of steps, the first of which is a whole state. `recorded`:
 * from the traces in `folder`.
 */
export async function openPlays(folder) {
  const plays = [];
  for (const [name, sessions] of TRACES) {
    const path = join(folder, name);
    if (existsSync(path)) plays.push(...(await playsOf(path, sessions)));
  }
  return plays.length > 0
    ? { recorded: true, plays }
    : { recorded: false, plays: Array.from({ length: 8 }, (_, seed) => seededPlay(seed)) };
}

async function playsOf(path, sessions) {
  const plays = new Map();
  for await (const { record } of (await openTrace(path)).lines) {
    const { sid, new: first, s, e } = record;
    if (!plays.has(sid) && plays.size === sessions) break;
    const play = plays.get(sid) ?? [];
    plays.set(sid, play);
    if (play.length === MOST_STEPS) {
      if (sessions === 1) break;
    } else if ((first ?? s) !== undefined) play.push({ whole: first ?? s });
    else if (e !== undefined) play.push({ edits: e });
  }
  return [...plays.values()];
}

function seededPlay(seed) {
  const draw = drawsOf(seed);
  const whole = {
    name: `play ${seed}`,
    text: 'a'.repeat(100),
    items: Array.from({ length: 30 }, (_, count) => ({ count, note: `item ${count}` })),
  };
  const edit = () =>
    [
      ['set', ['items', draw(30), 'count'], draw(1000)],
      ['push', ['items'], { count: 0, note: `pushed ${draw(1000)}` }],
      ['splice', ['text'], draw(50), 2, `${draw(1000)}`],
    ][draw(3)];
  return [{ whole }, ...Array.from({ length: 60 }, () => ({ edits: [edit(), edit()] }))];
}

/** Does the next step of a session's state, or of a plain copy. */
export function advance(state, play) {
  const { whole, edits } = play[state.step % play.length];
  if (whole !== undefined) state.document = structuredClone(whole);
  else applyEdits(state.document, structuredClone(edits), NONE);
  state.step += 1;
}
