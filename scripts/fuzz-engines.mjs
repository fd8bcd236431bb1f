// Fuzzes what a fuzzer of Rust alone cannot see: node scripts/fuzz-engines.mjs [minutes per target, 10] [engines | vcdiff].
// `engines`: the native differ against the one in JavaScript, on pairs and on damaged deltas; `vcdiff`: the import of damaged
// VCDIFFs. Runs `dist/`. Every run has a seed, which is printed when it breaks: `HOLDFAST_SEED=n` runs it again, alone.
import { makeState, seeded } from '../bench/diff/states.mjs';
import { HoldfastError, fromVcdiff, toVcdiff } from '../dist/delta.js';
import { sealLength, sealValue } from '../dist/diff/check.js';
import { loadDiffer } from '../dist/diff/engine.js';

const LIMIT = 1 << 16;
const HEADERS = [0x00, 0x01, 0x40, 0x4d, 0x52, 0x80, 0xa0, 0xc0];
const native = loadDiffer('native');
const js = loadDiffer('js');

const randomBytes = (random, length, alphabet) => Buffer.from(Array.from({ length }, () => random(alphabet)));

function content(random) {
  const kind = random(4);
  const length = random(1 << (4 + random(10)));
  if (kind === 0) return randomBytes(random, length, 256);
  if (kind === 1) return randomBytes(random, length, 1 + random(6));
  return Buffer.from(JSON.stringify(makeState(600 + length, random(1e9))));
}

/** Replaced, inserted, removed, moved, repeated and reversed, at random places. */
function edited(random, from, count) {
  let bytes = from;
  for (let i = 0; i < count; i++) {
    const at = random(bytes.length + 1);
    const end = Math.min(bytes.length, at + random(1 << random(10)));
    const source = random(bytes.length + 1);
    const part = bytes.subarray(source, source + random(1 << random(10)));
    const middle = [randomBytes(random, random(40), 256), part, Buffer.alloc(random(60), random(256))][random(3)];
    const repeated = Buffer.concat(Array.from({ length: 1 + (random(4) === 0 ? random(5) : 0) }, () => middle));
    bytes = Buffer.concat([bytes.subarray(0, at), repeated, bytes.subarray(random(2) === 0 ? at : end)]);
  }
  return bytes;
}

function damaged(random, from) {
  const bytes = Buffer.from(from);
  for (let i = 1 + random(4); i > 0 && bytes.length > 0; i--) bytes[random(bytes.length)] ^= 1 << random(8);
  return random(4) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
}

function sealed(base, body) {
  const value = sealValue(base, body, body.length);
  return Buffer.concat([body, Buffer.from([value & 0xff, value >> 8]).subarray(0, sealLength(body.length))]);
}

/** What a call gives or says; anything but our own errors breaks the run. */
function outcome(call) {
  try {
    return Buffer.from(call()).toString('latin1');
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

function agree(what, call) {
  if (outcome(() => call(native)) !== outcome(() => call(js))) throw new Error(`the engines differ in ${what}`);
}

function engines(random) {
  const base = content(random);
  const target = random(8) === 0 ? content(random) : edited(random, base, random(30));
  agree('diff', (engine) => engine.diff(base, target));
  const delta = native.diff(base, target);
  if (delta.length > target.length + 16) throw new Error('a delta is too long');
  if (outcome(() => js.apply(base, delta, target.length)) !== target.toString('latin1'))
    throw new Error('the round trip failed');
  const body = damaged(random, delta.subarray(0, -2));
  if (body.length > 0 && random(3) === 0) body[0] = HEADERS[random(HEADERS.length)];
  const bad = sealed(base, body);
  agree('apply', (engine) => engine.apply(base, bad, LIMIT));
  agree('applyInPlace', (engine) => {
    const bytes = Buffer.from(base);
    engine.applyInPlace(bytes, bad);
    return bytes;
  });
}

function vcdiff(random) {
  const base = content(random);
  const target = edited(random, base, random(12));
  const good = Buffer.from(toVcdiff(base, native.diff(base, target), target.length, { checksum: random(2) === 0 }));
  if (Buffer.compare(fromVcdiff(base, good, target.length), native.diff(base, target)) !== 0)
    throw new Error('the way to VCDIFF and back changed a delta');
  const bad = damaged(random, good);
  const made = outcome(() => fromVcdiff(base, bad, LIMIT));
  if (!made.startsWith('ERR_')) native.apply(base, Buffer.from(made, 'latin1'), LIMIT);
}

const targets = { engines, vcdiff };
const [minutes = '10', ...wanted] = process.argv.slice(2);
if (!(Number(minutes) > 0) || wanted.some((name) => !Object.hasOwn(targets, name))) {
  console.error(`fuzz: usage: node scripts/fuzz-engines.mjs [minutes] [${Object.keys(targets).join(' | ')}]`);
  process.exit(2);
}
const only = process.env.HOLDFAST_SEED;
for (const name of wanted.length > 0 ? wanted : Object.keys(targets)) {
  const end = Date.now() + Number(minutes) * 60_000;
  let seed = only === undefined ? Date.now() >>> 0 : Number(only);
  let runs = 0;
  try {
    do {
      targets[name](seeded(seed));
      runs++;
      seed++;
    } while (only === undefined && Date.now() < end);
  } catch (error) {
    console.log(`fuzz: ${name}: BROKEN after ${runs} runs, HOLDFAST_SEED=${seed}: ${error.stack}`);
    process.exit(1);
  }
  console.log(`fuzz: ${name}: clean after ${runs} runs`);
}
