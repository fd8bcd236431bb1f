// Sessions on a Redis server beside what npm has for it: requests (express-session + connect-redis), locks (redlock,
// redis-semaphore), many processes, and the bare client with the same scripts. Starts a server of its own. Contenders take
// turns in every round, and a ratio is the median of the rounds' own. usage: node bench/redis.mjs [--quick] [--rounds N]
// [--seconds N] [--part NAME] [--json]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ORIGIN } from '../dist/position.js';
import { RedisStore } from '../dist/store/redis.js';
import { installContenders } from './install.mjs';
import { isInstalled, startServer } from './redis/server.mjs';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    part: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 5));
const milliseconds = 1000 * Number(flags.seconds ?? (flags.quick ? 0.2 : 1));
if (!(rounds >= 1 && milliseconds > 0)) throw new Error('bench: --rounds and --seconds take numbers above 0');
if (!isInstalled()) throw new Error('bench: redis-server is not installed: apt-get install redis-server');

installContenders();
const { itemsOf, newClient, openExpress, openHoldfast, openRedlock, openSemaphore } =
  await import('./redis/contenders.mjs');

const SIZES_KB = [2, 16, 64, 256];
const IN_FLIGHT = 16;
const HOLD_MS = 5;
const RIVALS = 8;
const APPENDS = flags.quick ? 1000 : 10_000;
const MEMBERS = 8;
const MANY = flags.quick ? 500 : 10_000;

const url = await startServer();
const observer = await newClient(url);
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const quantile = (values, part) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * part)];
const round = (value, digits = 0) => Number(value.toFixed(digits));

/** Of the server: processor time in µs, and bytes in and out. */
async function serverCounts() {
  const text = `${await observer.info('cpu')}${await observer.info('stats')}`;
  const of = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1]);
  return {
    cpu: 1e6 * (of('used_cpu_user') + of('used_cpu_sys')),
    bytes: of('total_net_input_bytes') + of('total_net_output_bytes'),
  };
}

/** As many requests at once as there are sessions. */
async function stretch(contender, ids) {
  const [cpu, server, begun] = [process.cpuUsage(), await serverCounts(), performance.now()];
  let turn = 0;
  const lane = async (id) => {
    while (performance.now() - begun < milliseconds) await contender.request(id, (turn += 1));
  };
  await Promise.all(ids.map(lane));
  const seconds = (performance.now() - begun) / 1000;
  const [used, after] = [process.cpuUsage(cpu), await serverCounts()];
  return {
    rate: turn / seconds,
    cpu: (used.user + used.system) / turn,
    serverCpu: (after.cpu - server.cpu) / turn,
    bytes: (after.bytes - server.bytes) / turn,
  };
}

/** By contender the medians of its rounds, and the median of each round's own ratio to the first. */
function summary(samples, key) {
  const first = Object.values(samples)[0];
  return Object.fromEntries(
    Object.entries(samples).map(([name, taken]) => [
      name,
      { median: median(taken.map((one) => one[key])), ratio: median(taken.map((one, i) => first[i][key] / one[key])) },
    ]),
  );
}

async function inTurns(contenders, measure) {
  const samples = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let turn = 0; turn < rounds; turn += 1) {
    const order = Object.entries(contenders);
    if (turn % 2 === 1) order.reverse();
    for (const [name, contender] of order) samples[name].push(await measure(contender));
  }
  return samples;
}

async function requests(kilobytes) {
  const prefix = `r${kilobytes}`;
  const contenders = { holdfast: await openHoldfast(url, prefix), express: await openExpress(url, `e${kilobytes}`) };
  const ids = Array.from({ length: IN_FLIGHT }, (_, index) => `session-number-${String(index).padStart(9, '0')}`);
  for (const contender of Object.values(contenders)) {
    for (const id of ids) await contender.begin(id, itemsOf(kilobytes * 1024));
    await Promise.all(ids.map((id) => contender.request(id, 0)));
  }
  const samples = await inTurns(contenders, (contender) => stretch(contender, ids));
  for (const contender of Object.values(contenders)) await contender.close();
  await observer.flushAll();
  return Object.fromEntries(['rate', 'cpu', 'serverCpu', 'bytes'].map((key) => [key, summary(samples, key)]));
}

/** Two members take turns: each use finds the lock with the other, or given back, as those of npm are after each use. */
async function handOver() {
  const openers = {
    'holdfast, given back': (...where) => openHoldfast(...where, { lock: { release: 'access' } }),
    'holdfast, kept': openHoldfast,
    redlock: openRedlock,
    'redis-semaphore': openSemaphore,
  };
  const contenders = {};
  for (const [name, open] of Object.entries(openers)) {
    contenders[name] = [await open(url, `h${name}`), await open(url, `h${name}`)];
    await contenders[name][0].begin('s', itemsOf(2048));
  }
  const pings = [];
  const samples = await inTurns(contenders, async (pair) => {
    const taken = [];
    for (const end = performance.now() + milliseconds; performance.now() < end;) {
      for (const member of pair) {
        const begun = performance.now();
        await member.request('s', taken.length);
        taken.push(performance.now() - begun);
      }
      const begun = performance.now();
      await observer.ping();
      pings.push(performance.now() - begun);
    }
    return { p50: median(taken) };
  });
  for (const pair of Object.values(contenders)) for (const member of pair) await member.close();
  return { roundTripMs: median(pings), ...summary(samples, 'p50') };
}

/** Members that all want one session, and hold it for a while: from the wish to the release. */
async function contended() {
  const openers = { holdfast: openHoldfast, redlock: openRedlock, 'redis-semaphore': openSemaphore };
  const contenders = {};
  for (const [name, open] of Object.entries(openers)) {
    contenders[name] = await Promise.all(Array.from({ length: RIVALS }, () => open(url, `c${name}`)));
    await contenders[name][0].begin('s', itemsOf(2048));
  }
  const samples = await inTurns(contenders, async (members) => {
    const taken = [];
    const end = performance.now() + 2 * milliseconds;
    const lane = async (member) => {
      while (performance.now() < end) {
        const begun = performance.now();
        await member.hold('s', taken.length, () => sleep(HOLD_MS));
        taken.push(performance.now() - begun);
      }
    };
    await Promise.all(members.map(lane));
    return { p99: quantile(taken, 0.99), rate: (1000 * taken.length) / (2 * milliseconds) };
  });
  for (const members of Object.values(contenders)) for (const member of members) await member.close();
  return { p99: summary(samples, 'p99'), rate: summary(samples, 'rate') };
}

/** Processes that use sessions of one store at random. */
async function members(sessions, lanes) {
  const prefix = `m${sessions}`;
  const one = await openHoldfast(url, prefix);
  const items = itemsOf(2048);
  for (let from = 0; from < sessions; from += 100) {
    const ids = Array.from({ length: Math.min(100, sessions - from) }, (_, index) => `s${from + index}`);
    await Promise.all(ids.map((id) => one.begin(id, items)));
  }
  await one.close();
  const argument = JSON.stringify({ url, prefix, sessions, lanes, milliseconds: 2 * milliseconds });
  const module = fileURLToPath(new URL('redis/member.mjs', import.meta.url));
  const children = Array.from({ length: MEMBERS }, () => fork(module, [argument], { execArgv: [] }));
  await Promise.all(children.map((child) => once(child, 'message')));
  const uses = children.map((child) => once(child, 'message'));
  for (const child of children) child.send('go');
  const total = (await Promise.all(uses)).reduce((sum, [count]) => sum + count, 0);
  await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
  await observer.flushAll();
  return (1000 * total) / (2 * milliseconds);
}

/** Each append once, as many at a time as there are lanes; gives appends a second. */
async function throughput(append) {
  const [cpu, begun] = [process.cpuUsage(), performance.now()];
  let next = 0;
  const lane = async () => {
    while (next < APPENDS) await append((next += 1) - 1);
  };
  await Promise.all(Array.from({ length: 64 }, lane));
  const { user, system } = process.cpuUsage(cpu);
  return { rate: (1000 * APPENDS) / (performance.now() - begun), cpu: (user + system) / APPENDS };
}

const BYTES = Buffer.alloc(100, 'r');
const first = { parent: ORIGIN, position: { revision: 1, nonce: 7 }, kind: 'snapshot', bytes: BYTES, under: 0 };

/** The store's appends, and the same commands by the client alone. */
async function bare() {
  const client = await newClient(url);
  const sent = [];
  const recording = new Proxy(client, {
    get: (target, name) => {
      const found = target[name];
      if (name === 'sendCommand')
        return (args, options) => (sent.push([args, options]), found.call(target, args, options));
      return typeof found === 'function' ? found.bind(target) : found;
    },
  });
  const open = async (used) => {
    await observer.flushAll();
    const store = new RedisStore({ client: used, prefix: 'b', sweepEveryMs: Infinity });
    await store.ping();
    return store;
  };
  const store = await open(recording);
  sent.length = 0;
  await throughput((index) => store.append(`s${index}`, first));
  const commands = sent.filter(([args]) => args[0] === 'EVALSHA');
  await store.close();
  const contenders = {
    store: async () => {
      const fresh = await open(client);
      const taken = await throughput((index) => fresh.append(`s${index}`, first));
      await fresh.close();
      return taken;
    },
    client: async () => {
      await (await open(client)).close();
      return throughput((index) => client.sendCommand(...commands[index]));
    },
  };
  const samples = await inTurns(contenders, (run) => run());
  client.destroy();
  return { rate: summary(samples, 'rate'), cpu: summary(samples, 'cpu') };
}

function table(head, rows) {
  const cells = (row) => row.map((cell, i) => (i === 0 ? String(cell).padEnd(26) : String(cell).padStart(16))).join('');
  console.log(`${[head, ...rows].map(cells).join('\n')}\n`);
}

const shown = (found, digits) => [round(found.median, digits), `${round(found.ratio, 2)} ×`];

async function bySize() {
  const found = {};
  for (const kilobytes of SIZES_KB) found[kilobytes] = await requests(kilobytes);
  return found;
}

function showRequests(found) {
  const rows = Object.entries(found).flatMap(([kilobytes, { rate, cpu, serverCpu, bytes }]) =>
    Object.keys(rate).map((name) => [
      `${kilobytes} KB, ${name}`,
      ...[rate, cpu, serverCpu, bytes].map((figure) => round(figure[name].median)),
    ]),
  );
  table(['request', 'per s', 'CPU µs', "server's µs", 'bytes'], rows);
}

/** What is measured, and how it is shown. */
const parts = {
  requests: { measure: bySize, show: showRequests },
  'hand-over': {
    measure: handOver,
    show: ({ roundTripMs, ...pairs }) =>
      table(
        [`hand-over (PING ${round(roundTripMs, 2)} ms)`, 'p50 ms', 'first / it'],
        Object.entries(pairs).map(([name, found]) => [name, ...shown(found, 2)]),
      ),
  },
  contended: {
    measure: contended,
    show: ({ p99, rate }) =>
      table(
        [`${RIVALS} rivals, ${HOLD_MS} ms each`, 'p99 ms', 'first / it', 'uses per s'],
        Object.entries(p99).map(([name, found]) => [name, ...shown(found, 1), round(rate[name].median)]),
      ),
  },
  processes: {
    measure: async () => ({ hot: await members(1, 1), many: await members(MANY, IN_FLIGHT) }),
    show: ({ hot, many }) =>
      table(
        [`${MEMBERS} processes`, 'uses per s'],
        [
          ['one session', round(hot)],
          [`${MANY} sessions`, round(many)],
        ],
      ),
  },
  bare: {
    measure: bare,
    show: ({ rate, cpu }) =>
      table(
        ['appends', 'per s', 'store / it', 'CPU µs'],
        Object.entries(rate).map(([name, found]) => [name, ...shown(found, 0), round(cpu[name].median)]),
      ),
  },
};

const result = {
  machine: `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}`,
  rounds,
  milliseconds,
};
for (const [name, { measure }] of Object.entries(parts)) if (name.includes(flags.part)) result[name] = await measure();
result.load = round(loadavg()[0], 1);
if (flags.json) console.log(JSON.stringify(result, undefined, 2));
else {
  console.log(`${result.machine}, load ${result.load}; ${rounds} rounds of ${milliseconds} ms\n`);
  for (const [name, { show }] of Object.entries(parts)) if (result[name] !== undefined) show(result[name]);
}
process.exit(0);
