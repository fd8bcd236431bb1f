// Opens a store for the first time without the addon, raises its epoch to 1 and closes, and kills itself before the n-th of
// all calls that change files. argv: folder, n. env: HOLDFAST_SQLITE names the module.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const CHANGES = ['openSync', 'writeSync', 'writeFileSync', 'fsyncSync', 'mkdirSync', 'unlinkSync'];
const [, , dir, count] = process.argv;
let left = Infinity;

const counted =
  (object, name) =>
  (...args) => {
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
    return object[name](...args);
  };

const real = { ...fs };
for (const name of CHANGES) fs[name] = counted(real, name);
syncBuiltinESMExports();

const { findModule } = await import('../../dist/store/sqlite-driver.js');
const { SqliteGround } = await import('../../dist/store/sqlite-ground.js');
const found = findModule(process.env.HOLDFAST_SQLITE);

const module = {
  ...found,
  open(path) {
    const driver = counted(found, 'open')(path);
    return { ...driver, ...Object.fromEntries(['exec', 'run', 'close'].map((name) => [name, counted(driver, name)])) };
  },
};
const due = performance.now() + 10_000;

left = Number(count);
const ground = new SqliteGround(module, dir, false, due);
ground.write([{ kind: 'raise', expected: { epoch: 0, births: 0 }, next: { epoch: 1, births: 0 } }], due);
ground.close();
