// Goes in and out of a gate, and counts. workerData: gate, and a number that is shared
import { setImmediate as turn } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { passing } from '../../dist/store/gate.js';

const { gate, count } = workerData;
for (;;) {
  passing(gate, () => {
    Atomics.add(count, 0, 1); // odd: inside
    for (const end = performance.now() + 2; performance.now() < end;);
    Atomics.add(count, 0, 1);
  });
  await turn();
}
