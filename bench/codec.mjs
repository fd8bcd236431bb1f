// Encode and decode of a node-heavy state, against msgpackr alone (which checks nothing and loses Maps, holes and -0), and
// against msgpackr behind a checking walk. Ratios of one run hold; absolute times are the machine's.
// node --experimental-strip-types bench/codec.mjs   (or, on Node 20, after `npm run build`: node bench/codec.mjs)
import { Packr, RESET_BUFFER_MODE } from 'msgpackr';

const source = process.argv[2] ?? '../dist/codec/msgpack.js';
const { msgpackCodec } = await import(source);

const packr = new Packr({
  useRecords: false, variableMapSize: true, moreTypes: true, useToJSON: false, structuredClone: false, bundleStrings: false,
  useFloat32: 0, copyBuffers: true,
});

function makeState(bytes) {
  const state = { version: 3, user: { id: 'u-1029', name: 'Ada Lovelace', roles: ['admin', 'editor'] }, items: [] };
  for (let i = 0; msgpackLength(state) < bytes; i++) {
    for (let j = 0; j < 8; j++) {
      const n = i * 8 + j;
      state.items.push({
        id: n, sku: `SKU-${n * 7919}`, title: `Item number ${n}`, price: n * 1.25, quantity: n % 7, flags: { gift: n % 3 === 0, stock: null },
        tags: ['red', 'large', `t${n % 50}`],
      });
    }
  }
  return state;
}

const msgpackLength = (state) => packr.pack(state).length;

/** The least that a separate walk costs: classes, symbols, functions and shared references, no paths. */
function walk(value, seen) {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function' || typeof value === 'symbol') throw new Error('refused');
    return;
  }
  if (seen.has(value)) throw new Error('shared');
  seen.add(value);
  if (Array.isArray(value)) for (let i = 0; i < value.length; i++) walk(value[i], seen);
  else {
    if (Object.getPrototypeOf(value) !== Object.prototype) throw new Error('class');
    if (Object.getOwnPropertySymbols(value).length > 0) throw new Error('symbol');
    for (const key of Object.keys(value)) walk(value[key], seen);
  }
}

function median(run, rounds) {
  for (let i = 0; i < 200; i++) run();
  const times = [];
  for (let i = 0; i < rounds; i++) {
    const start = process.hrtime.bigint();
    run();
    times.push(Number(process.hrtime.bigint() - start));
  }
  return times.sort((a, b) => a - b)[rounds >> 1];
}

for (const size of [512, 65_536]) {
  const state = makeState(size);
  const bytes = msgpackCodec.encode(state, 'state');
  if (!Buffer.from(bytes).equals(packr.pack(state))) throw new Error('the bytes differ from msgpackr');
  const contenders = {
    'encode, msgpackr alone': () => Buffer.from(packr.encode(state, RESET_BUFFER_MODE)),
    'encode, walk + msgpackr': () => (walk(state, new Set()), Buffer.from(packr.encode(state, RESET_BUFFER_MODE))),
    'encode, this codec': () => msgpackCodec.encode(state, 'state'),
    'decode, msgpackr': () => packr.decode(bytes),
    'decode, this codec': () => msgpackCodec.decode(bytes),
  };
  console.log(`\n${bytes.length} bytes, ${state.items.length} items`);
  const first = { encode: 0, decode: 0 };
  for (const [name, run] of Object.entries(contenders)) {
    const time = median(run, 1_000);
    const kind = name.slice(0, 6);
    first[kind] ||= time;
    console.log(`${name.padEnd(26)} ${(time / 1e3).toFixed(1).padStart(8)} µs ${((bytes.length / time) * 1e3).toFixed(0).padStart(6)} MB/s  ×${(time / first[kind]).toFixed(2)}`);
  }
}
