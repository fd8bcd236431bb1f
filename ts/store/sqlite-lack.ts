import { failedCall } from './sqlite-driver.ts';
import type { SqliteDriver } from './sqlite-driver.ts';
import { CANTOPEN, FULL } from './sqlite-error.ts';
import { isRoomless, reason } from './system-error.ts';

/**
 * A driver that says why a call to the system has failed, which SQLite does not pass on: a share of the disk that is
 * used up would pass for damage. `lack` writes to the same folder, and gives what the system says of that.
 */
export function explained(driver: SqliteDriver, lack: () => unknown): SqliteDriver {
  const explain = <T>(run: () => T): T => {
    try {
      return run();
    } catch (error) {
      const failed = failedCall(error);
      const cause = failed === undefined ? undefined : lack();
      if (cause === undefined) throw error;
      // What was not written is not there; what was to be flushed may be.
      const isFull = failed === 'write' && isRoomless(cause);
      const text = `${error instanceof Error ? error.message : String(error)}: ${reason(cause)}`;
      throw Object.assign(new Error(text, { cause }), { errcode: isFull ? FULL : CANTOPEN });
    }
  };
  return {
    exec: (sql) => explain(() => driver.exec(sql)),
    run: (sql, ...values) => explain(() => driver.run(sql, ...values)),
    all: (sql, ...values) => explain(() => driver.all(sql, ...values)),
    close: () => driver.close(),
  };
}
