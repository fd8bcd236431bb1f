import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { newGate, shut, shutAndWait } from '../../ts/store/gate.ts';

it('a thread is never inside a module any more when the gate is shut, and can be ended there', async () => {
  const script = fileURLToPath(new URL('gate.mjs', import.meta.url));
  for (let round = 0; round < 10; round += 1) {
    const gate = newGate();
    const count = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(script, { workerData: { gate, count } });
    await expect.poll(() => Atomics.load(count, 0)).toBeGreaterThan(2);
    shutAndWait(gate, 5000);
    const seen = Atomics.load(count, 0);
    expect([seen % 2, shut(gate)]).toEqual([0, true]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(Atomics.load(count, 0)).toBe(seen);
    await worker.terminate();
  }
});

it('a thread that does not come out is waited for no longer than is said', () => {
  const gate = newGate();
  gate[0] = 1;
  const began = performance.now();
  shutAndWait(gate, 50);
  expect([shut(gate), performance.now() - began >= 45]).toEqual([false, true]);
});
