import { vi } from 'vitest';

// Tests run the sources as they are, which a thread of Node 20 cannot.
vi.mock('../ts/store/thread-entry.ts', () => ({
  threadEntry: new URL('../dist/store/sqlite-thread.js', import.meta.url),
}));
