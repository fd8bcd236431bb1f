// Runs the differ's Rust tests under Miri, which notices undefined behaviour. Says so and ends well where Miri is
// missing. Further arguments are Miri's: `--target i686-unknown-linux-gnu` has 32 bits.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
if (spawnSync('cargo', ['+nightly', 'miri', '--version'], { stdio: 'ignore' }).status !== 0) {
  console.log(
    'miri: skipped: nightly Rust or Miri is missing (rustup component add miri rust-src --toolchain nightly)',
  );
  process.exit(0);
}
// Files are read by some tests, which isolation would forbid.
const env = { ...process.env, MIRIFLAGS: `${process.env.MIRIFLAGS ?? ''} -Zmiri-disable-isolation` };
const args = ['+nightly', 'miri', 'test', '-p', 'holdfast-delta', ...process.argv.slice(2)];
process.exit(spawnSync('cargo', args, { cwd: root, stdio: 'inherit', env }).status ?? 1);
