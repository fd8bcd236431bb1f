import { rmSync } from 'node:fs';
import { reason } from '../store/system-error.ts';
import type { Failed } from './messages.ts';

/**
 * The child's side: handles the parent's messages one after the other. An error is told to the parent and ends the
 * process; so does the parent's death, which leaves it to the children to remove the temporary directory, if there is
 * one.
 */
export function serve<In, Out>(handle: (message: In, reply: (message: Out) => void) => Promise<void>): void {
  const send = (message: Out | Failed, then = (): void => undefined): void => {
    if (process.connected) process.send?.(message, then);
  };
  const exit = (): void => process.exit(1);
  const fail = (error: unknown): void => {
    setTimeout(exit, 1000);
    send({ kind: 'failed', error: describe(error) }, exit);
  };
  let queue: Promise<void> = Promise.resolve();
  process.on('message', (message) => {
    queue = queue.then(() => handle(message as In, send)).catch(fail);
  });
  const abandon = (): void => {
    const [temporary = ''] = process.argv.slice(2);
    if (temporary !== '') rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
    exit();
  };
  process.on('disconnect', abandon);
  if (!process.connected) abandon(); // while this process was starting
  process.on('uncaughtException', fail);
  // Ctrl-C reaches the whole group of processes; the parent decides.
  process.on('SIGINT', () => undefined);
}

/** An error in one line, with its code, and causes that it does not tell itself. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined) return `ERR_UNAVAILABLE: ${reason(error)}`; // the system's refusal of a file or folder
  const told = error.cause instanceof Error && error.message.includes(error.cause.message);
  const cause = error.cause === undefined || told ? '' : ` (${describe(error.cause)})`;
  return `${typeof code === 'string' && !error.message.startsWith(code) ? `${code}: ` : ''}${error.message}${cause}`;
}
