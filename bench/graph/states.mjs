// Pairs of states, base and target, that JSON can hold, so that every contender can take part. The same on each run.
import { createRequire } from 'node:module';

function seeded(seed) {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

const WORDS =
  'session cart player order update message level score token admin guest north river stone light engine signal cloud market'.split(
    ' ',
  );
const text = (random, words) => Array.from({ length: words }, () => WORDS[random(WORDS.length)]).join(' ');
const hex = (random, digits) => Array.from({ length: digits }, () => random(16).toString(16)).join('');

function cart(lines) {
  const random = seeded(1);
  return {
    user: { id: 40_211, name: 'Ada Lovelace', email: 'ada@example.org' },
    currency: 'EUR',
    lines: Array.from({ length: lines }, (_, n) => ({
      id: `l${n}`,
      sku: `SKU-${random(1e6)}`,
      title: text(random, 4),
      quantity: 1 + random(5),
      price: random(1e5) / 100,
      attributes: { colour: WORDS[random(WORDS.length)], size: 'M', gift: false },
    })),
    coupons: ['WELCOME'],
    totals: { net: 812.4, tax: 154.36, gross: 966.76 },
  };
}

function agent(turns) {
  const random = seeded(2);
  return {
    id: hex(random, 16),
    model: 'large',
    goal: text(random, 30),
    messages: Array.from({ length: turns }, (_, n) => ({
      id: n,
      role: n % 2 === 0 ? 'user' : 'assistant',
      content: text(random, 60),
      tokens: random(900),
    })),
    memory: Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`fact-${n}`, text(random, 12)])),
    usage: { input: 120_331, output: 40_112, calls: turns },
  };
}

function room(players) {
  const random = seeded(3);
  return {
    tick: 10_000,
    map: { name: 'river', seed: random(1e9) },
    players: Object.fromEntries(
      Array.from({ length: players }, (_, n) => [
        `p${n}`,
        { x: random(1e6) / 1000, y: random(1e6) / 1000, hp: 100, alive: true, items: [random(50), random(50)] },
      ]),
    ),
    chat: Array.from({ length: 50 }, (_, n) => ({ id: n, from: `p${random(players)}`, text: text(random, 8) })),
  };
}

function wizard() {
  return {
    step: 2,
    valid: true,
    person: { first: 'Ada', last: 'Lovelace', born: '1815-12-10' },
    address: { street: 'St James Square 12', city: 'London', zip: 'SW1Y' },
    payment: null,
    visited: ['person', 'address'],
  };
}

/** An object of objects with about so many nodes. */
function config(nodes) {
  const random = seeded(4);
  const services = {};
  for (let n = 0; n < nodes; n += 10) {
    services[`service-${n}`] = {
      host: `10.0.${random(255)}.${random(255)}`,
      port: 1024 + random(60_000),
      enabled: random(4) > 0,
      limits: { memory: random(4096), cpu: random(100) / 100, files: random(1e5) },
      labels: { zone: WORDS[random(WORDS.length)], tier: `t${random(4)}` },
    };
  }
  return { version: 17, services };
}

const rows = (count, seed) => {
  const random = seeded(seed);
  return Array.from({ length: count }, (_, n) => ({ id: n, name: text(random, 2), value: random(1e6), done: false }));
};

function prose(characters) {
  const random = seeded(8);
  let all = '';
  while (all.length < characters) all += `${text(random, 12)}.\n`;
  return all.slice(0, characters);
}

function shuffled(count) {
  const random = seeded(9);
  const keys = Array.from({ length: count }, (_, n) => `key-${n}`);
  for (let i = keys.length - 1; i > 0; i -= 1) {
    const j = random(i + 1);
    [keys[i], keys[j]] = [keys[j], keys[i]];
  }
  return keys;
}

/** A copy with edits; `edit` may return another value in its place. */
function pair(name, base, edit) {
  const copy = structuredClone(base);
  return { name, base, target: edit(copy) ?? copy };
}

export function states() {
  const require = createRequire(import.meta.url);
  const numbered = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`key-${n}`, n]));
  return [
    pair('cart, quantity', cart(12), (s) => void (s.lines[5].quantity = 4)),
    pair('cart, line and totals', cart(12), (s) => {
      s.lines.push({ ...structuredClone(s.lines[3]), id: 'l12', sku: 'SKU-77' });
      s.totals = { net: 836.2, tax: 158.88, gross: 995.08 };
    }),
    pair('cart, line removed', cart(12), (s) => void s.lines.splice(4, 1)),
    pair('agent, turn', agent(60), (s) => {
      s.messages.push({ id: 60, role: 'user', content: text(seeded(11), 50), tokens: 61 });
      s.usage.input += 311;
      s.usage.calls += 1;
    }),
    pair('agent, fact and edit', agent(60), (s) => {
      s.memory['fact-7'] += ' and nothing else';
      s.messages[31].content = s.messages[31].content.replace('river', 'delta');
    }),
    pair('room, tick of 8 of 200', room(200), (s) => {
      const random = seeded(12);
      s.tick += 1;
      for (let n = 0; n < 8; n += 1) {
        const player = s.players[`p${random(200)}`];
        player.x += 0.25;
        player.y -= 0.5;
        player.hp -= 1;
      }
    }),
    pair('room, chat rolls', room(200), (s) => {
      s.chat.shift();
      s.chat.push({ id: 50, from: 'p4', text: 'north of the river' });
    }),
    pair('wizard, field', wizard(), (s) => void (s.person.first = 'Augusta')),
    pair('wizard, next step', wizard(), (s) => {
      s.step = 3;
      s.visited.push('payment');
      s.payment = { method: 'card', last4: '4242' };
    }),
    pair('config 10k nodes, 1 field', config(10_000), (s) => void (s.services['service-5000'].port = 8080)),
    pair('config 10k nodes, 20 fields', config(10_000), (s) => {
      for (let n = 0; n < 20; n += 1) s.services[`service-${n * 490}`].limits.memory += 1;
    }),
    pair('head insert in 5k', rows(5_000, 5), (s) => void s.unshift({ id: -1, name: 'new', value: 1, done: false })),
    pair('10 moves in 1k', rows(1_000, 6), (s) => {
      const random = seeded(7);
      for (let n = 0; n < 10; n += 1) s.splice(random(999), 0, ...s.splice(random(1_000), 1));
    }),
    pair('200 KB text, 1 edit', { title: 'text', body: prose(200_000) }, (s) => {
      s.body = `${s.body.slice(0, 90_000)}an inserted sentence. ${s.body.slice(90_007)}`;
    }),
    pair('200 KB text, 20 edits', { title: 'text', body: prose(200_000) }, (s) => {
      for (let n = 20; n > 0; n -= 1) s.body = `${s.body.slice(0, n * 9_000)}edit ${n} ${s.body.slice(n * 9_000 + 5)}`;
    }),
    { name: 'mime-db 1.53 → 1.54', base: require('mime-db-1-53'), target: require('mime-db') },
    {
      name: '10k keys, shuffled',
      base: numbered,
      target: Object.fromEntries(shuffled(10_000).map((key) => [key, numbered[key]])),
    },
    {
      name: '10k keys, reversed',
      base: numbered,
      target: Object.fromEntries(Object.entries(numbered).reverse()),
    },
  ];
}
