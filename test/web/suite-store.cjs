// What the public suites make their stores of: a class without arguments, each of its instances with sessions of its own.
// SUITE says whose, SUITE_ADDRESS where they are: `memory:`, a folder, or the URL of a Redis server.
const { mkdtempSync } = require('node:fs');
const { join } = require('node:path');
const { after } = require('node:test');
const dist = join(__dirname, '../../dist');
const { MemoryStore, openStore } = require(join(dist, 'index.js'));
const { SUITE, SUITE_ADDRESS = 'memory:' } = process.env;
const { HoldfastSessionStore } = require(join(dist, `web/drop-in/${SUITE}-session.js`));

let places = 0;
function open() {
  if (SUITE_ADDRESS === 'memory:') return new MemoryStore();
  if (SUITE_ADDRESS.startsWith('redis:')) return openStore(`${SUITE_ADDRESS}?prefix=s${process.pid}-${(places += 1)}`);
  return openStore(mkdtempSync(join(SUITE_ADDRESS, 's-')));
}

const stores = [];

class Fresh extends HoldfastSessionStore {
  constructor() {
    const store = open();
    super({ store });
    stores.push(store);
  }
}

/** One test looks into the Map that the suite's own store keeps: here it notes what was stored. */
class Noting extends Fresh {
  store = new Map();

  set(sid, session, callback) {
    this.store.set(sid, JSON.parse(JSON.stringify(session)));
    return super.set(sid, session, callback);
  }
}

// A process of node:test ends when nothing is open any more.
if (process.env.NODE_TEST_CONTEXT !== undefined)
  after(async () => Promise.all(stores.map(async (store) => (await store).close())));
module.exports = SUITE === 'fastify' ? Noting : Fresh;
