/** Of the two numbers: whether the thread is inside a module, and whether it is to go there no more. */
const BUSY = 0;
const SHUT = 1;

/** Shared by a thread and whoever ends it. */
export type Gate = Int32Array;

export const newGate = (): Gate => new Int32Array(new SharedArrayBuffer(8));

/** In the thread: `run`, which calls a module; once the gate is shut the thread stops here until it is ended. */
export function passing(gate: Gate, run: () => void): void {
  Atomics.store(gate, BUSY, 1);
  if (Atomics.load(gate, SHUT) === 1) {
    leave(gate);
    Atomics.wait(gate, SHUT, 1);
  }
  try {
    run();
  } finally {
    leave(gate);
  }
}

function leave(gate: Gate): void {
  Atomics.store(gate, BUSY, 0);
  Atomics.notify(gate, BUSY);
}

/** False: the thread is still inside. */
export function shut(gate: Gate): boolean {
  Atomics.store(gate, SHUT, 1);
  return Atomics.load(gate, BUSY) === 0;
}

/** Waits until the thread is outside, for so long at most. Nothing else goes on meanwhile. */
export function shutAndWait(gate: Gate, waitMs: number): void {
  if (!shut(gate)) Atomics.wait(gate, BUSY, 1, waitMs);
}
