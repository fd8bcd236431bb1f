// Opens and closes the store over and over while others work: that must not harm what they save.
// argv: JSON of { url }
import { setTimeout as pause } from 'node:timers/promises';
import { openPlace } from './sessions.mjs';

const PAUSE_MS = 5;

const { url } = JSON.parse(process.argv[2]);
const done = { opened: 0, notOpened: 0 };
let stopped = false;
process.on('message', () => (stopped = true));
process.on('disconnect', () => process.exit(1));
while (!stopped) {
  try {
    await (await openPlace(url)).close();
    done.opened += 1;
  } catch {
    done.notOpened += 1;
  }
  await pause(PAUSE_MS);
}
process.send(done, () => process.exit(0));
