// Saves into an embedded store, and prints as JSON how much room its folder ever took beside what is alive in it.
// usage: node test/store/growth.mjs DIR [--sessions N] [--kilobytes N] [--saves N] [--rate PER_SECOND] [--whole]
// Without --rate as fast as it goes; 12,000 saves at 20 a second are ten minutes.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { defineSession, mutable, openStore, SessionRepository } from 'holdfast';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sessions: { type: 'string', default: '40' },
    kilobytes: { type: 'string', default: '8' },
    saves: { type: 'string', default: '12000' },
    rate: { type: 'string', default: 'Infinity' },
    whole: { type: 'boolean', default: false },
  },
});
const [dir] = positionals;
const [sessions, kilobytes, saves, rate] = ['sessions', 'kilobytes', 'saves', 'rate'].map((name) =>
  Number(values[name]),
);
const FIELD = 128;
const fields = (kilobytes * 1024) / FIELD;

const text = (seed) => `${(seed * 104_729).toString(36)}${'x'.repeat(FIELD)}`.slice(0, FIELD - 8);
const body = (seed) => Object.fromEntries(Array.from({ length: fields }, (_, i) => [`k${i}`, text(seed + i)]));

/** Bytes of all files of the folder; some go while we look. */
function room() {
  let bytes = 0;
  for (const name of readdirSync(dir)) bytes += statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}

const store = await openStore(dir);
const definition = defineSession({ body: mutable(() => ({})), saves: mutable(() => 0) });
const repository = new SessionRepository({ store, definition });
for (let i = 0; i < sessions; i += 1) await repository.scope(`s${i}`, () => {}, { create: { body: body(i) } });
const alive = sessions * JSON.stringify(body(0)).length;
let most = 0;
const began = performance.now();
for (let i = 0; i < saves; i += 1) {
  await repository.scope(`s${i % sessions}`, (state) => {
    if (values.whole) state.body = body(i);
    else state.body[`k${i % fields}`] = text(i);
    state.saves += 1;
  });
  most = Math.max(most, room());
  const early = began + ((i + 1) * 1000) / rate - performance.now();
  if (early > 0) await pause(early);
}
console.log(JSON.stringify({ alive, most }));
await repository.close();
await store.close();
