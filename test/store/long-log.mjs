// Lets the log of a store grow while another process reads on and on, and prints as JSON what was told of it, and how
// long after the end of that process it was short again, although nobody wrote. argv: folder, and 'read' (in that other
// process)
import { spawn } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openStore } from 'holdfast';

const [, , dir, role] = process.argv;
const LONG = 64 << 20;
const SHORT = 8 << 20;
const PATIENCE_MS = 20_000;

/** Holds one moment of the database, until it is killed. */
function read() {
  const { DatabaseSync } = createRequire(import.meta.url)('@photostructure/sqlite');
  const database = new DatabaseSync(join(dir, 'store.sqlite'));
  database.exec('BEGIN');
  database.prepare('SELECT count(*) FROM session').all();
  console.log('reads');
  setInterval(() => database.isOpen, 1000);
}

async function until(condition) {
  const began = performance.now();
  while (!condition()) {
    if (performance.now() - began > PATIENCE_MS) throw new Error('it did not come to that');
    await pause(20);
  }
  return Math.round(performance.now() - began);
}

async function watch() {
  const [told, warned] = [[], []];
  subscribe('holdfast:log-length', (event) => told.push(event));
  process.on('warning', ({ name, message }) => name === 'HoldfastWarning' && warned.push(message));
  const store = await openStore(dir);
  const append = (id, bytes) =>
    store.append(id, {
      parent: { revision: 0, nonce: 0 },
      position: { revision: 1, nonce: 5 },
      kind: 'snapshot',
      bytes: Buffer.alloc(bytes, 7),
      under: 0,
    });
  await append('first', 100);
  const other = spawn(process.execPath, [fileURLToPath(import.meta.url), dir, 'read'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.on('exit', () => other.kill('SIGKILL'));
  await once(other.stdout, 'data');
  const log = join(dir, 'store.sqlite-wal');
  for (let i = 0; statSync(log).size <= LONG; i += 1) await append(`s${i}`, 4 << 20);
  await until(() => told.length > 0);
  const grown = statSync(log).size;
  other.kill('SIGKILL');
  const shortMs = await until(() => statSync(log).size <= SHORT);
  await until(() => told.length > 1);
  await store.close();
  console.log(JSON.stringify({ dir, told, warned, grown, shortMs }));
}

if (role === 'read') read();
else await watch();
