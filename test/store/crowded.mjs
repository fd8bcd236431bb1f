// Starts helpers where this process may open no more files than so many beyond those that it has: `<room> <what came of
// it>` of each, until one has opened a store. argv: 'thread' or 'process'; the folder. Run with a low limit of open files.
import { closeSync, openSync } from 'node:fs';
import { startProcess, startThread } from '../../dist/store/sidecar.js';

const [, , helper, dir] = process.argv;
const start = helper === 'thread' ? startThread : startProcess;
const MOST_ROOM = 40;
const said = [];
const taken = [];
const fill = () => {
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch (error) {
    if (error.code !== 'EMFILE') throw error;
  }
};

/** What became of a helper that is asked to open a store. */
const outcome = () =>
  new Promise((resolve) => {
    const opening = { module: '@photostructure/sqlite', dir, acceptOlder: false, dueMs: Infinity, ticket: 1 };
    const onReplies = ([{ answer, failed }]) => resolve(answer?.kind ?? `${failed?.code} ${failed?.outcome}`);
    try {
      const sidecar = start(opening, { onReplies, onEnd: (cause) => resolve(`ended ${cause?.code}`) });
      sidecar.post({ ticket: 2, request: { kind: 'compact' }, dueMs: 0 });
    } catch (error) {
      resolve(`${error.name} ${error.code} ${error.outcome} ${error.cause?.code}`);
    }
  });

const alive = setInterval(() => undefined, 1000); // helpers keep no process alive
for (let room = 0; room < MOST_ROOM && !said.at(-1)?.endsWith('opened'); room += 1) {
  fill();
  for (let i = 0; i < room; i += 1) closeSync(taken.pop());
  said.push(`${room} ${await outcome()}`);
}
clearInterval(alive);
for (const file of taken) closeSync(file);
console.log(said.join('\n'));
process.exit();
