// The helper process of one store without the addon. Its first message: how to open; it ends with whoever began it. What it
// has begun it counts in the file that is open as BEGUN.
import { BEGUN, countIn } from './begun.ts';
import { SqliteServer } from './sqlite-server.ts';
import type { Opening, Question, Reply } from './sqlite-server.ts';

let server: SqliteServer | undefined;

/** Whoever began it may be gone, of which `disconnect` tells. */
function send(replies: readonly Reply[]): void {
  process.send?.(replies, undefined, {}, () => undefined);
}

process.on('message', (message: Opening | Question) => {
  if (server === undefined) server = new SqliteServer(message as Opening, send, undefined, countIn(BEGUN));
  else server.take(message as Question);
});
// Nothing is left to do then, and the process ends by itself: only so do some modules let go of the files.
process.on('disconnect', () => server?.end());
