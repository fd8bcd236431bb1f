// Runs under AddressSanitizer what has `unsafe` in it or below it: the differ's Rust tests, and, with an addon built so (SQLite's
// C included) in a copy of the package, the engines against each other and some of the store's storms.
// node scripts/asan.mjs [minutes of each target of fuzz-engines, 1]   after `npm run build`. Linux; says so and ends well where
// nightly Rust or GCC's libasan is missing.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const work = join(root, 'target/asan');
const copy = join(work, 'package');
const STORMS = '--kills 10 --race 5 --stops 2 --exits 5 --terminations 20 --cuts 10 --flips 20'.split(' ');

const said = (command, args) => spawnSync(command, args, { encoding: 'utf8' }).stdout?.trim() ?? '';
const minutes = process.argv[2] ?? '1';
const host = /host: (.*)/.exec(said('cargo', ['+nightly', '-vV']))?.[1];
const library = said('gcc', ['-print-file-name=libasan.so']);
if (host === undefined || !existsSync(library)) {
  console.log("asan: skipped: nightly Rust or GCC's libasan is missing (rustup toolchain install nightly)");
  process.exit(0);
}

function run(what, command, args, cwd, env) {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit', env: { ...process.env, ...env } });
  console.log(`asan: ${what}: ${status === 0 ? 'clean' : 'BROKEN'}`);
  if (status !== 0) process.exit(1);
}

const flags = {
  RUSTFLAGS: '-Zsanitizer=address -Zub-checks=yes',
  CFLAGS: '-fsanitize=address -fno-omit-frame-pointer',
  CARGO_TARGET_DIR: work,
};
const cargo = (...args) => ['+nightly', ...args, '--target', host];
run('Rust tests', 'cargo', cargo('test', '-p', 'holdfast-delta'), root, flags);
run('the addon builds', 'cargo', cargo('build', '-p', 'holdfast-napi'), root, flags);

rmSync(copy, { recursive: true, force: true });
mkdirSync(join(copy, 'native'), { recursive: true });
for (const part of ['package.json', 'dist', 'scripts', 'bench/diff', 'test/store'])
  cpSync(join(root, part), join(copy, part), { recursive: true });
const { platform, arch } = process;
cpSync(join(work, host, 'debug/libholdfast_napi.so'), join(copy, `native/holdfast.${platform}-${arch}-gnu.node`));
// Node itself leaves memory to the end of the process, and catches faults of its own.
const inNode = { LD_PRELOAD: library, ASAN_OPTIONS: 'detect_leaks=0:handle_segv=0', HOLDFAST_SQLITE: 'addon' };
run('the engines', process.execPath, ['scripts/fuzz-engines.mjs', minutes], copy, inNode);
run('the store', process.execPath, ['test/store/faults/main.mjs', ...STORMS], copy, inNode);
