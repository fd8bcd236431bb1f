import { describe, it } from 'vitest';
import { MemoryStore } from '../../ts/store/memory.ts';
import { VirtualClock, storeSuite } from '../../ts/testing/index.ts';

storeSuite({ describe, it }, {
  name: 'MemoryStore',
  async open() {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock, sweepEveryMs: Infinity });
    return { one: store, two: store, pass: (ms) => clock.pass(ms), jump: (ms) => clock.jump(ms), cleanUp: () => store.close() };
  },
});
