// Starts helpers where this process may open no more files than so many beyond those that it has: `<room> <what came of
// it>` of each. argv: 'thread' or 'process'; the folder. Run with a low limit of open files.
import { closeSync, openSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { startProcess, startThread } from '../../dist/store/sidecar.js';

const [, , helper, dir] = process.argv;
const start = helper === 'thread' ? startThread : startProcess;
const said = [];
const taken = [];
const fill = () => {
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch (error) {
    if (error.code !== 'EMFILE') throw error;
  }
};
for (let room = 0; room < 8; room += 1) {
  fill();
  for (let i = 0; i < room; i += 1) closeSync(taken.pop());
  let told = 'started';
  let sidecar;
  try {
    const opening = { module: 'none', dir, acceptOlder: false, dueMs: Infinity, ticket: 1 };
    sidecar = start(opening, { onReplies: () => undefined, onEnd: (cause) => (told = `ended ${cause?.code}`) });
    sidecar.post({ ticket: 2, request: { kind: 'compact' }, dueMs: 0 });
    await pause(50);
    void sidecar.end();
  } catch (error) {
    told = `${error.name} ${error.code} ${error.outcome} ${error.cause?.code}`;
  }
  said.push(`${room} ${told}`);
  if (told === 'started') break;
}
for (const file of taken) closeSync(file);
console.log(said.join('\n'));
process.exit();
