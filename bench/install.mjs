import { spawnSync } from 'node:child_process';
import { existsSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bench = dirname(fileURLToPath(import.meta.url));
const modified = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

/**
 * What benches compare with lies in bench/, with a lock file of its own: nobody else needs it. No package's script is
 * run.
 */
export function installContenders() {
  const stamp = join(bench, 'node_modules/.package-lock.json');
  if (modified(stamp) >= modified(join(bench, 'package-lock.json'))) return;
  console.error('bench: installing contenders from bench/package-lock.json');
  const args = ['ci', '--prefix', bench, '--ignore-scripts', '--no-audit', '--no-fund'];
  const done = spawnSync('npm', args, { encoding: 'utf8', shell: process.platform === 'win32' });
  if (done.status !== 0) {
    console.error(`bench: npm ci failed:\n${done.stdout}${done.stderr}`);
    process.exit(1);
  }
  const now = new Date();
  utimesSync(stamp, now, now);
}
