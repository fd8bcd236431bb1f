import { readFileSync } from 'node:fs';

/**
 * Names this run of the machine, since when its monotonic clock counts. Undefined where the system does not tell (other
 * than Linux).
 */
export function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}
