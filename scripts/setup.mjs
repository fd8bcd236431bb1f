// Makes a clone ready to run: installs from the lock file, builds dist/ and, where Rust and a C compiler are there, the
// addon. Does nothing that is done already. Plain Node, no dependencies: it runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const at = (...path) => join(root, ...path);
const LONGEST_BUILD_MS = 10 * 60_000;

if (process.argv.length > 2) fail(`setup takes no arguments, not '${process.argv[2]}'`);
checkNode();
install();
buildTypeScript();
await buildNative();

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)) return;
  fail(`Holdfast needs Node 20.19 or later 20, or 22.12 or later; this is ${process.versions.node}.`);
}

function install() {
  if (modified(at('node_modules/.package-lock.json')) >= modified(at('package-lock.json'))) return;
  // npm would empty what the link leads to, which is another's.
  if (lstatSync(at('node_modules'), { throwIfNoEntry: false })?.isSymbolicLink())
    fail('node_modules is a link, and older than package-lock.json: install where it leads to, or remove the link');
  say('installing from package-lock.json');
  // npm hands its own path down; run by hand there is only the command.
  const npm = process.env.npm_execpath;
  // No dependency may need a script of its own: nothing is compiled or downloaded beside the packages.
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const done =
    npm === undefined ? run('npm', args, process.platform === 'win32') : run(process.execPath, [npm, ...args]);
  if (done.status !== 0) fail(`npm ci failed:\n${done.output}`);
  const now = new Date();
  utimesSync(at('node_modules/.package-lock.json'), now, now);
}

function buildTypeScript() {
  const stamp = at('dist/.built');
  const made = ['tsconfig.json', 'tsconfig.build.json', 'package.json', 'scripts/commonjs-types.mjs'];
  if (modified(stamp) >= Math.max(newest(at('ts')), ...made.map((path) => modified(at(path))))) return;
  say('building dist/');
  rmSync(at('dist'), { recursive: true, force: true });
  for (const step of [
    [at('node_modules/typescript/bin/tsc'), '-p', at('tsconfig.build.json')],
    [at('scripts/commonjs-types.mjs')],
  ]) {
    const done = run(process.execPath, step);
    if (done.status !== 0) fail(`the TypeScript build failed:\n${done.output}`);
  }
  writeFileSync(stamp, '');
}

/** Only HOLDFAST_REQUIRE_NATIVE=1 makes its lack an error: all goes on without, more slowly. */
async function buildNative() {
  if (process.env.HOLDFAST_ENGINE === 'js') return;
  if (run(process.execPath, [at('scripts/build-native.mjs'), '--check']).status === 0) return;
  const failure = lackOf('a C compiler', process.env.CC || 'cc') ?? lackOf('Rust', 'cargo') ?? (await runBuild());
  if (failure === undefined) return;
  const message = `the addon is not built: ${failure}`;
  if (process.env.HOLDFAST_REQUIRE_NATIVE === '1') fail(message);
  say(
    `${message}; going on with ${binaries().length > 0 ? 'the one that was built before' : 'JavaScript for the differ, and without the embedded store unless its fallback is there'}`,
  );
}

/** `command` may have arguments, as in CC='ccache cc', or be a path with blanks in it. */
function lackOf(what, command) {
  const [name, ...args] = existsSync(command) ? [command] : command.trim().split(/\s+/);
  return run(name, [...args, '--version']).status === 0
    ? undefined
    : `${what} is missing ('${command}' is not on the PATH)`;
}

function binaries() {
  return existsSync(at('native')) ? readdirSync(at('native')).filter((name) => name.endsWith('.node')) : [];
}

/** With all its processes ended when it takes too long. Its own lines are the progress that is shown. */
async function runBuild() {
  const child = spawn(process.execPath, [at('scripts/build-native.mjs')], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    detached: true,
  });
  let late = false;
  const stop = () => process.kill(-child.pid, 'SIGKILL');
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, LONGEST_BUILD_MS);
  process.once('SIGINT', () => {
    stop();
    process.exit(130);
  });
  const [status] = await once(child, 'close');
  clearTimeout(timer);
  process.removeAllListeners('SIGINT');
  if (late) return `it took longer than ${LONGEST_BUILD_MS / 60_000} minutes`;
  return status === 0 ? undefined : 'the build failed, see above';
}

function run(command, args, shell = false) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    shell,
    maxBuffer: 1 << 28,
  });
  return { status: error ? 1 : status, output: `${stdout ?? ''}${stderr ?? ''}` };
}

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    latest = Math.max(latest, modified(join(entry.parentPath ?? entry.path, entry.name)));
  }
  return latest;
}

function say(message) {
  process.stderr.write(`holdfast: ${message}\n`);
}

function fail(message) {
  say(message);
  process.exit(1);
}
