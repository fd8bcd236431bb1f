/** Pairs of kinds that no corpus has, made from a seed: what an application keeps beside states in JSON. */
import { deflateSync } from 'node:zlib';
import { seeded } from './states.mjs';

const WORDS = 'cart paid user queue retry cache login route price order stock batch token offer query event'.split(' ');
const random = seeded(2026);
const noise = (length) => Buffer.from(Array.from({ length }, () => random(256)));
const words = (count) => Array.from({ length: count }, () => WORDS[random(WORDS.length)]).join(' ');
const times = (count, make) => Array.from({ length: count }, (_, i) => make(i));

const logLine = (i) =>
  `2026-11-26T${String(10 + (i >> 12)).padStart(2, '0')}:${String((i >> 6) % 60).padStart(2, '0')}:${String(i % 60).padStart(2, '0')}Z [${random(9000)}] ${words(4)} ms=${random(5000)}\n`;
const row = (i) => [1000 + i, words(2), random(1e6) / 100, random(500), `A-${random(1e5)}`];
const csv = (rows) => rows.map((cells) => cells.join(',')).join('\n');
const item = (i) => ({ id: i, name: words(2), price: random(1e5) / 100, tags: times(random(3), () => words(1)) });

function shuffled(list) {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const other = random(i + 1);
    [copy[i], copy[other]] = [copy[other], copy[i]];
  }
  return copy;
}

/** A byte string with some of it replaced. */
function patched(bytes, places, length) {
  const copy = Buffer.from(bytes);
  for (let i = 0; i < places; i++) noise(length).copy(copy, random(copy.length - length));
  return copy;
}

/** Rows of an image of 256 × 256 grey pixels, filtered as PNG does, before they are compressed. */
const pixels = () => Buffer.concat(times(256, (y) => Buffer.from([1, ...times(256, (x) => (x + y + random(3)) & 3)])));

function floats(count, change) {
  const values = Float64Array.from({ length: count }, () => random(1e9) / 1e6);
  const moved = values.map((value, i) => (i % change === 0 ? value + random(1000) / 1e6 : value));
  return [Buffer.from(values.buffer), Buffer.from(moved.buffer)];
}

const log = times(12_000, logLine).join('');
const rows = times(5000, row);
const items = times(2000, item);
const attachment = noise(48_000);
const picture = pixels();
const huge = Buffer.from(JSON.stringify(times(155_000, item)));
const [readings, later] = floats(8000, 4);
const ids = times(3000, () => noise(16).toString('hex'));
const insert = (bytes, at, more) => Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);

const PAIRS = {
  'text of 22 B, one letter': ['status: ready, 12 of 9', 'status: ready, 13 of 9'],
  'log, 20 lines more': [log, log + times(20, logLine).join('')],
  'CSV, one cell': [csv(rows), csv(rows.with(2500, [3500, 'route paid', 1, 2, 'A-7']))],
  'CSV, a column is new': [csv(rows), csv(rows.map((cells) => cells.with(3, random(500))))],
  'CSV, a column goes': [csv(rows), csv(rows.map((cells) => cells.toSpliced(3, 1)))],
  'JSON array, 10 moved': [
    JSON.stringify(items),
    JSON.stringify(times(10, () => random(1900)).reduce((all, at) => all.toSpliced(at, 1).concat([all[at]]), items)),
  ],
  'JSON array, shuffled': [JSON.stringify(items), JSON.stringify(shuffled(items))],
  'JSON, other indents': [JSON.stringify(items, undefined, 2), JSON.stringify(items, undefined, 4)],
  'base64, bytes replaced': [attachment.toString('base64'), patched(attachment, 3, 20).toString('base64')],
  'base64, a byte put in': [
    attachment.toString('base64'),
    insert(attachment, 24_000, Buffer.from([7])).toString('base64'),
  ],
  'PNG-like, one pixel': [deflateSync(picture), deflateSync(patched(picture, 1, 1))],
  'bytes, 5 × 100 replaced': [attachment, patched(attachment, 5, 100)],
  'doubles, a fourth moves': [readings, later],
  'list of 3,000 ids, 30 go': [ids.join('\n'), ids.filter((_, i) => i % 100 !== 50).join('\n')],
  'JSON of 10 MB, 10 edits': [
    huge,
    times(10, () => random(huge.length - 20)).reduce((all, at) => insert(all, at, Buffer.from(words(2))), huge),
  ],
};

/** `{ name, base, target }`. */
export function kindPairs() {
  return Object.entries(PAIRS).map(([name, pair]) => {
    const [base, target] = pair.map((part) => Buffer.from(part));
    return { name, base, target };
  });
}
