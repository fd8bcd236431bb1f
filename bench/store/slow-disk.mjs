// A neighbour that keeps the disk busy: grows a file by a block and flushes it, over and over, until it is killed or
// its parent has gone. usage: forked with the path of a file
import { fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const BLOCK = Buffer.alloc(16 << 20, 7);
const MOST_BYTES = 256 << 20;

const file = openSync(process.argv[2], 'w');
process.once('disconnect', () => process.exit());
process.send({ ready: true });
flush(0);

function flush(position) {
  // New blocks each time: others' flushes wait for the file system's own journal too.
  if (position === 0) ftruncateSync(file, 0);
  writeSync(file, BLOCK, 0, BLOCK.length, position);
  fsyncSync(file);
  setImmediate(flush, (position + BLOCK.length) % MOST_BYTES);
}
