// Another process: what was written in the first one is read here, compared with what is made here, and written again.
import { msgpackCodec } from '../../dist/codec/msgpack.js';
import { KINDS, isSame } from './kinds.mjs';

let text = '';
for await (const chunk of process.stdin) text += chunk;
const results = JSON.parse(text).map(([index, bytes]) => {
  const [, make, { clone = make } = {}] = KINDS[index];
  const value = msgpackCodec.decode(Buffer.from(bytes, 'hex'));
  return [index, isSame(clone(), value), Buffer.from(msgpackCodec.encode(value, 'value')).toString('hex') === bytes];
});
console.log(JSON.stringify(results));
