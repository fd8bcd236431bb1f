// Bytes that one step of a recorded session costs: Holdfast's record whole (envelope and delta or snapshot), beside
// fossil-delta (pure JavaScript) at its best: the JSON text of the whole state against that of the step before, with no
// envelope at all. No store, no lock. usage: node bench/steps.mjs [--peer-steps N] [--record] [TRACE…]      traces default to
// ../shared/traces; `--record`: kept in bench/record/
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { msgpackCodec } from '../dist/codec/msgpack.js';
import { applyEdits, openTrace, revive } from '../dist/cli/trace.js';
import { loadDiffer } from '../dist/diff/engine.js';
import { encodeDeltaBody, encodeSnapshotBody } from '../dist/log/body.js';
import { compactionDue } from '../dist/log/compaction.js';
import { Image } from '../dist/log/image.js';
import { NO_PARENT, RECORD_OVERHEAD, encodeRecord } from '../dist/log/record.js';
import { letGo } from '../dist/sync/base.js';
import { capture, differenceOf } from '../dist/sync/compare.js';
import { installContenders } from './install.mjs';
import { recorder } from './record.mjs';

const { values: flags, positionals } = parseArgs({
  options: { 'peer-steps': { type: 'string', default: '5000' }, record: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const peerSteps = Number(flags['peer-steps']);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Where a trace has no times, steps are a second apart; so they are in the column that has no times of the trace's. */
const SECOND = 1000;

const files = positionals.length > 0 ? positionals : recorded();
if (files.length === 0) {
  console.error(
    'bench: there are no recorded traces at ../shared/traces, beside this repository; name some: node bench/steps.mjs TRACE…',
  );
  process.exit(1);
}
installContenders();
const { createDelta } = await import('fossil-delta');
/** As much as a session may have by default. */
const limitBytes = 16 * 1024 * 1024;
const lineFor = (differencing) => ({ codec: msgpackCodec, differ: loadDiffer(), differencing, limitBytes });
const auto = lineFor('auto');
const others = { 'by bytes': lineFor('binary'), 'by parts': lineFor('graph'), 'by signature': auto };

const { line, end } = recorder('steps', flags.record);
line('Bytes a step after the first of a session, median (mean), over all steps that change something.');
line(
  "  'a second apart': as a process in use saves; 'as recorded': with the trace's own times, where it has any (histories: days apart)",
);
line(
  "  'by bytes', 'by parts': the bodies alone, with `differencing: 'binary'` and `'graph'`, on as many steps as fossil-delta",
);
line("  'by signature': the bodies alone, where only signatures of the bases are kept (`base: 'signature'`)");
line(
  `  'before': the record format before this one, 27 bytes and two numbers around the same bodies; fossil-delta: on at most ${peerSteps} steps, evenly spread`,
);
for (const file of files) report(basename(file), await replay(file));
end();

function recorded() {
  const folder = join(root, '../shared/traces');
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.jsonl.br'))
        .map((name) => join(folder, name))
    : [];
}

async function replay(file) {
  const total = await countSteps(file);
  const every = Math.max(1, Math.floor(total / peerSteps));
  const { header, lines } = await openTrace(file);
  const binary = new Set(header.binary);
  const sessions = new Map();
  const sizes = {
    'a second apart': [],
    'as recorded': [],
    before: [],
    'by bytes': [],
    'by parts': [],
    'by signature': [],
    'fossil-delta': [],
  };
  let count = 0;
  for await (const { record } of lines) {
    if (record.end !== undefined) sessions.delete(record.sid);
    const whole = record.new ?? record.s;
    if (whole === undefined && record.e === undefined) continue;
    const session = sessions.get(record.sid) ?? begin(record.sid);
    const isFirst = !sessions.has(record.sid);
    sessions.set(record.sid, session);
    const isSampled = !isFirst && count++ % every === 0;
    const text = isSampled ? textOf(session.state) : undefined;
    if (whole !== undefined) session.state = revive(whole, binary);
    else applyEdits(session.state, record.e, binary);
    const touched =
      whole === undefined && record.e.every(([, path]) => path.length > 0)
        ? [...new Set(record.e.map(([, path]) => path[0]))]
        : Object.keys(session.state);
    if (isSampled)
      for (const [way, other] of Object.entries(others))
        note(sizes[way], session, touched, other, way === 'by signature');
    const saved = save(session, touched, record.t);
    if (isFirst || saved === undefined) continue;
    sizes['a second apart'].push(saved.apart);
    if (record.t !== undefined) sizes['as recorded'].push(saved.recorded);
    sizes.before.push(saved.before);
    if (isSampled) sizes['fossil-delta'].push(createDelta(text, textOf(session.state)).length);
  }
  return sizes;
}

async function countSteps(file) {
  const { lines } = await openTrace(file);
  let steps = 0;
  for await (const { record } of lines) if (record.e !== undefined || record.s !== undefined) steps += 1;
  return steps;
}

function begin(id) {
  return { id, state: {}, image: new Image(), parent: NO_PARENT, snapshotBytes: 0, deltaBytes: 0 };
}

function textOf(state) {
  return Buffer.from(JSON.stringify(state));
}

function compare(way, image, state, touched) {
  const captured = capture(way, image, { touched, names: Object.keys(state), value: (name) => state[name] });
  return captured && differenceOf(way, image, captured);
}

/** What the changes alone take, told in another way. */
function note(sizes, session, touched, other, isSigned) {
  const image = session.image.fork();
  if (isSigned) for (const name of image.directory.names) letGo(image, name, 'signature', other.differ);
  const difference = compare(other, image, session.state, touched);
  if (difference === undefined) return;
  const { directory, directoryDelta, changes } = difference;
  sizes.push(encodeDeltaBody(directory ?? image.directory, directoryDelta, changes).length);
}

/** As a push does it, without the primary. */
function save(session, touched, time) {
  const { id, state, image, parent } = session;
  const difference = compare(auto, image, state, touched);
  if (difference === undefined) return undefined;
  const { directory, directoryDelta, changes, values } = difference;
  const staged = image.stage(directory, values);
  const delta = encodeDeltaBody(directory ?? image.directory, directoryDelta, changes);
  const isSnapshot = parent === NO_PARENT || compactionDue(session, delta.length + RECORD_OVERHEAD);
  const body = isSnapshot ? encodeSnapshotBody(image, staged) : delta;
  const record = {
    kind: isSnapshot ? 'snapshot' : 'delta',
    revision: parent.revision + 1,
    nonce: 1,
    parentNonce: parent.nonce,
    time: time ?? parent.time + SECOND,
    token: 1,
    digest: staged.digest,
    body,
  };
  image.accept(staged, record);
  session.snapshotBytes = isSnapshot ? body.length : session.snapshotBytes;
  session.deltaBytes = isSnapshot ? 0 : session.deltaBytes + body.length;
  session.parent = record;
  return {
    apart: encodeRecord(id, { ...record, time: parent.time + SECOND }, parent, 'auto').length,
    recorded: encodeRecord(id, record, parent, 'auto').length,
    before: 27 + varintLength(record.revision) + varintLength(record.token) + body.length,
  };
}

function varintLength(value) {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length += 1;
  return length;
}

function report(name, sizes) {
  line();
  line(`${name}, ${sizes.before.length} steps`);
  for (const [column, all] of Object.entries(sizes)) {
    if (all.length === 0) continue;
    const sorted = all.toSorted((a, b) => a - b);
    const mean = all.reduce((sum, size) => sum + size, 0) / all.length;
    line(
      `  ${column.padEnd(16)}${String(sorted[Math.floor(sorted.length / 2)]).padStart(7)} ${`(${mean.toFixed(0)})`.padStart(9)}${column === 'fossil-delta' ? `   of ${all.length} steps` : ''}`,
    );
  }
}
