import { MemoryStore } from '../../ts/store/memory.ts';
import { storeSuite } from '../contract/store-suite.ts';

storeSuite('MemoryStore', {
  async open() {
    const store = new MemoryStore();
    return { one: store, two: store, cleanUp: () => store.close() };
  },
});
