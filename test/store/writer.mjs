// A worker thread that writes until it is ended. workerData: folder
import { parentPort, threadId, workerData } from 'node:worker_threads';
import { openStore } from 'holdfast';

const store = await openStore(workerData);
for (let i = 0; i < 16; i += 1) {
  void (async () => {
    for (let revision = 1; ; revision += 1) {
      const parent = revision === 1 ? { revision: 0, nonce: 0 } : { revision: revision - 1, nonce: 1 };
      const position = { revision, nonce: 1 };
      await store.append(`w${threadId}.${i}`, {
        parent,
        position,
        kind: 'snapshot',
        bytes: Buffer.alloc(100),
        under: 0,
      });
      if (i === 0 && revision === 2) parentPort.postMessage('up');
    }
  })();
}
