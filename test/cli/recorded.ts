import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';

/** A pseudo-random whole number below its argument; the same for the same seed. */
export function drawing(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type State = Record<string, unknown>;
interface Play extends State {
  id: string;
  text: string;
  items: { name: string; count: number; tags?: string[] }[];
  settings: Record<string, unknown>;
  blob: { $bytes: string } | null;
}

export interface Recording {
  readonly file: string;
  readonly sids?: readonly string[];
  readonly steps: number;
  readonly kind?: 'edits' | 'states';
  readonly seed?: number;
  /** Length of the text and of the bytes. */
  readonly size?: number;
  /** `none`: sessions have no last line. `wrong`: that of the last session names another state. */
  readonly end?: 'right' | 'none' | 'wrong';
}

const sha256 = (state: State): string => createHash('sha256').update(JSON.stringify(state)).digest('hex');
const bytesOf = (draw: (below: number) => number, size: number): { $bytes: string } => ({
  $bytes: Buffer.from(Array.from({ length: size }, () => draw(256))).toString('base64'),
});
const textOf = (draw: (below: number) => number, size: number): string =>
  Array.from({ length: size }, () => 'aä\u2028 b\u{1F600}c\n'[draw(9)]?.toWellFormed()).join('');

/** Writes a history of sessions that take turns at random: text, bytes, lists and objects that change in every way. */
export function record({
  file,
  sids = ['s1'],
  steps,
  kind = 'edits',
  seed = 1,
  size = 200,
  end = 'right',
}: Recording): string {
  const draw = drawing(seed);
  const classes = { id: 'immutable', text: 'mutable', items: 'mutable' };
  const lines: unknown[] = [{ trace: 'made', kind, classes, binary: ['blob'], v: 1, sessions: sids.length, steps }];
  const states = new Map(sids.map((sid) => [sid, firstState(sid, draw, size)]));
  if (kind === 'edits') for (const [sid, state] of states) lines.push({ sid, new: structuredClone(state) });
  for (let step = 0; step < steps; step += 1) {
    const sid = sids[draw(sids.length)] as string;
    const state = states.get(sid) as Play;
    const edits = Array.from({ length: 1 + draw(3) }, () => edit(state, draw, size));
    lines.push(kind === 'edits' ? { sid, e: structuredClone(edits) } : { sid, t: step, s: structuredClone(state) });
  }
  const seen = new Set(lines.map((line) => (line as { sid?: string }).sid));
  const ends = sids.filter((sid) => seen.has(sid)).map((sid) => ({ sid, end: sha256(states.get(sid) as Play) }));
  if (end === 'wrong') (ends.at(-1) as { end: string }).end = '0'.repeat(64);
  if (end !== 'none') lines.push(...ends);
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  writeFileSync(file, file.endsWith('.br') ? brotliCompressSync(text) : text);
  return file;
}

function firstState(sid: string, draw: (below: number) => number, size: number): Play {
  const blob = bytesOf(draw, size);
  return {
    text: textOf(draw, size),
    id: `id of ${sid}`,
    items: [{ name: 'first', count: 1, tags: ['x'] }],
    settings: { z: 1, a: { deep: [1, 2, 3] } },
    blob,
  };
}

type Edit = readonly unknown[];

/** Changes the state, and returns the edit that does the same. */
function edit(state: Play, draw: (below: number) => number, size: number): Edit {
  const item = draw(Math.max(1, state.items.length));
  const { count = 0 } = state.items[item] ?? {};
  const key = `k${draw(6)}`;
  const at = draw(state.text.length + 1);
  const insert = textOf(draw, 1 + draw(8));
  const cases: (() => Edit)[] = [
    () => (
      (state.text = state.text.slice(0, at) + insert + state.text.slice(at + 3)),
      ['splice', ['text'], at, 3, insert]
    ),
    () => (state.items.push({ name: key, count: 0 }), ['push', ['items'], { name: key, count: 0 }]),
    () =>
      state.items[item] === undefined
        ? ['assign', [], {}]
        : ((state.items[item].count = count + 1), ['set', ['items', item, 'count'], count + 1]),
    () => (state.items.splice(item, 1), ['del', ['items', item]]),
    () => ((state.settings[key] = { at }), ['set', ['settings', key], { at }]),
    () => (delete state.settings[key], ['del', ['settings', key]]),
    () => (
      Object.assign(state.settings, { [key]: null, both: at }),
      ['assign', ['settings'], { [key]: null, both: at }]
    ),
    () => ((state[key] = [at]), ['set', [key], [at]]),
    () => (delete state[key], ['del', [key]]),
    () => ((state.blob = bytesOf(draw, size)), ['set', ['blob'], state.blob]),
    () => ((state.blob = null), ['assign', [], { blob: null }]),
    () => ((state.text = state.text.toUpperCase()), ['set', ['text'], state.text]),
  ];
  return (cases[draw(cases.length)] as () => Edit)();
}
