// A member in a process of its own: uses sessions of the store, at random, for so long; tells how often.
// argv: JSON of { url, prefix, sessions, lanes, milliseconds }
import { openHoldfast } from './contenders.mjs';

const { url, prefix, sessions, lanes, milliseconds } = JSON.parse(process.argv[2]);
const member = await openHoldfast(url, prefix);
await member.sessions.find('none'); // connected
process.send('ready');
await new Promise((resolve) => process.once('message', resolve));
let uses = 0;
const end = performance.now() + milliseconds;
const lane = async () => {
  for (; performance.now() < end; uses += 1) {
    const id = `s${Math.floor(Math.random() * sessions)}`;
    await member.sessions.scope(id, (state) => void (state.at = `${process.pid} ${uses}`.padStart(48)));
  }
};
await Promise.all(Array.from({ length: lanes }, lane));
process.send(uses);
await member.close();
process.exit(0);
