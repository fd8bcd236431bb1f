import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** A file system of its own in memory, at `path`, until `run` has ended. False: none can be had, which needs root. */
export async function onSmallDisk(path: string, size: string, run: () => void | Promise<void>): Promise<boolean> {
  mkdirSync(path, { recursive: true });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=777`, 'tmpfs', path]).status !== 0) return false;
  try {
    await run();
    return true;
  } finally {
    spawnSync('umount', ['-l', path]);
  }
}
