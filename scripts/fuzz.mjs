// Fuzzes the differs: node scripts/fuzz.mjs [minutes per target, 10] [target …]. Needs nightly Rust and cargo-fuzz; says
// so and ends well where they are missing. What breaks a target is put into test/crashers/, where an ordinary `cargo
// test` runs it.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folders = ['delta', 'graph'].map((crate) => join(root, 'crates', crate, 'fuzz'));
const work = join(root, 'target/fuzz');
/** Longest input, in bytes. */
const LONGEST = 4096;

const [first = '10', ...wanted] = process.argv.slice(2);
const minutes = Number(first);
/** The folder of each target. */
const places = new Map(
  folders.flatMap((folder) => readdirSync(join(folder, 'targets')).map((name) => [name.replace(/\.rs$/, ''), folder])),
);
const targets = [...places.keys()];
if (!(minutes > 0) || wanted.some((name) => !targets.includes(name))) {
  console.error(`fuzz: usage: node scripts/fuzz.mjs [minutes] [${targets.join(' | ')}]`);
  process.exit(2);
}
if (spawnSync('cargo', ['+nightly', 'fuzz', '--version'], { stdio: 'ignore' }).status !== 0) {
  console.log(
    'fuzz: skipped: nightly Rust or cargo-fuzz is missing (rustup toolchain install nightly; cargo install cargo-fuzz)',
  );
  process.exit(0);
}

let broken = 0;
for (const target of wanted.length > 0 ? wanted : targets) {
  const fuzz = places.get(target);
  const corpus = join(work, 'corpus', target);
  const found = join(work, 'found', target);
  for (const folder of [corpus, found]) mkdirSync(folder, { recursive: true });
  const build = [
    '+nightly',
    'fuzz',
    'run',
    '--fuzz-dir',
    fuzz,
    '--target-dir',
    work,
    target,
    corpus,
    join(fuzz, 'seeds', target),
  ];
  const limits = [
    `-max_total_time=${Math.ceil(minutes * 60)}`,
    `-max_len=${LONGEST}`,
    `-artifact_prefix=${found}/`,
    '-print_final_stats=1',
    '-verbosity=0',
  ];
  const run = spawnSync('cargo', [...build, '--', ...limits], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  const runs = /number_of_executed_units: (\d+)/.exec(run.stderr)?.[1] ?? 'unknown';
  console.log(`fuzz: ${target}: ${run.status === 0 ? 'clean' : 'BROKEN'} after ${runs} runs`);
  if (run.status === 0) continue;
  broken++;
  console.log(run.stderr.split('\n').slice(-40).join('\n'));
  for (const file of readdirSync(found)) {
    copyFileSync(join(found, file), join(root, 'test/crashers', `${target}-${file}`));
    rmSync(join(found, file));
  }
}
process.exit(broken === 0 ? 0 : 1);
