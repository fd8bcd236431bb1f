// Builds the addon (differ and embedded store) into native/holdfast.<platform>.node. Does nothing when that is newer
// than its sources. With --check it only says by its status whether that is so.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const native = join(root, 'native');

const binaries = () => (existsSync(native) ? readdirSync(native).filter((name) => name.endsWith('.node')) : []);
const modified = (path) => statSync(path).mtimeMs;

function newestSource() {
  const crates = readdirSync(join(root, 'crates'), { recursive: true, withFileTypes: true });
  const files = crates.filter((entry) => entry.isFile() && /\.(rs|toml)$/.test(entry.name));
  const paths = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  paths.push(join(root, 'Cargo.toml'), join(root, 'Cargo.lock'), join(root, '.cargo/config.toml'));
  return Math.max(...paths.map(modified));
}

function fail(message) {
  console.error(`build-native: ${message}`);
  process.exit(1);
}

const built = binaries().map((name) => modified(join(native, name)));
if (built.length > 0 && Math.min(...built) > newestSource()) process.exit(0);
if (process.argv.includes('--check')) process.exit(1);

if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).error !== undefined) {
  fail(
    'cargo is not installed. Get Rust from https://rustup.rs, or go on without: the JavaScript differ does the same, slower, and the embedded store has a fallback.',
  );
}
console.error('build-native: building the addon, which takes up to three minutes the first time');
// Built beside and then renamed: a process that has the old file mapped must not see it change.
const fresh = join(native, '.fresh');
mkdirSync(fresh, { recursive: true });
const cli = createRequire(import.meta.url).resolve('@napi-rs/cli/package.json');
const args = [
  'build',
  '--platform',
  '--release',
  '--no-js',
  '--manifest-path',
  'crates/napi/Cargo.toml',
  '--output-dir',
  fresh,
];
const { bin } = createRequire(import.meta.url)(cli);
const main = join(dirname(cli), typeof bin === 'string' ? bin : bin.napi);
const { status } = spawnSync(process.execPath, [main, ...args], { cwd: root, stdio: 'inherit' });
if (status !== 0) fail('the build failed; see above.');
const names = readdirSync(fresh).filter((name) => name.endsWith('.node'));
for (const name of names) renameSync(join(fresh, name), join(native, name));
rmSync(fresh, { recursive: true });
