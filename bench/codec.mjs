// Encode and decode of a node-heavy state by the codec, against bare msgpackr, which checks nothing and loses Maps,
// holes and -0. The contenders take turns in one run: ratios hold, absolute times are the machine's. After `npm run
// build`:
//   node bench/codec.mjs [another build's dist/codec/msgpack.js, as a further contender]
import { resolve } from 'node:path';
import { Packr, RESET_BUFFER_MODE } from 'msgpackr/index-no-eval';
import { OPTIONS } from '../dist/codec/format.js';
import { msgpackCodec } from '../dist/codec/msgpack.js';

const packr = new Packr({ ...OPTIONS });
const bare = {
  encode: (value) => new Uint8Array(packr.encode(value, RESET_BUFFER_MODE)),
  decode: (bytes) => packr.decode(Buffer.from(bytes.buffer)),
};
const contenders = { 'bare msgpackr': bare, 'this codec': msgpackCodec };
if (process.argv[2] !== undefined) contenders['other build'] = (await import(resolve(process.argv[2]))).msgpackCodec;

function makeState(bytes) {
  const state = { version: 3, user: { id: 'u-1029', name: 'Ada Lovelace', roles: ['admin', 'editor'] }, items: [] };
  for (let n = 0; n % 8 !== 0 || packr.encode(state, RESET_BUFFER_MODE).length < bytes; n++) {
    state.items.push({
      id: n,
      sku: `SKU-${n * 7919}`,
      title: `Item number ${n}`,
      price: n * 1.25,
      quantity: n % 7,
      flags: { gift: n % 3 === 0, stock: null },
      tags: ['red', 'large', `t${n % 50}`],
    });
  }
  return state;
}

/** Median nanoseconds of each; batches of `size` calls in turn, so that what else the machine does hits all alike. */
function medians(runs, rounds, size) {
  const times = runs.map(() => []);
  for (let round = -rounds >> 2; round < rounds; round++) {
    runs.forEach((run, i) => {
      const start = process.hrtime.bigint();
      for (let call = 0; call < size; call++) run();
      if (round >= 0) times[i].push(Number(process.hrtime.bigint() - start) / size);
    });
  }
  return times.map((all) => all.sort((a, b) => a - b)[rounds >> 1]);
}

for (const target of [64, 1_024, 65_536]) {
  const state = makeState(target);
  const bytes = msgpackCodec.encode(state, 'state');
  if (!Buffer.from(bytes).equals(bare.encode(state))) throw new Error('the bytes differ from msgpackr');
  console.log(`\n${bytes.length} bytes, ${state.items.length} items`);
  for (const verb of ['encode', 'decode']) {
    const runs = Object.values(contenders).map((codec) =>
      verb === 'encode' ? () => codec.encode(state, 'state') : () => codec.decode(bytes),
    );
    const times = medians(runs, 600, Math.max(1, Math.round(20_000 / bytes.length)));
    Object.keys(contenders).forEach((name, i) => {
      const speed = ((bytes.length / times[i]) * 1e3).toFixed(0);
      console.log(
        `${verb} ${name.padEnd(16)} ${(times[i] / 1e3).toFixed(2).padStart(9)} µs ${speed.padStart(6)} MB/s  ×${(times[i] / times[0]).toFixed(2)}`,
      );
    });
  }
}
