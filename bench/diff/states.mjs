/** States such as sessions hold, made from a seed, and edits of them: the same bytes everywhere. */

/** Whole numbers in 0 .. n - 1. */
export function seeded(seed) {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

const NAMES = 'amber birch cedar delta ember fjord grove haven inlet jetty knoll larch maple north ocean prism'.split(
  ' ',
);

function text(random, words) {
  return Array.from({ length: words }, () => NAMES[random(NAMES.length)]).join(' ');
}

const hex = (random, digits) => Array.from({ length: digits }, () => random(16).toString(16)).join('');

const item = (random) => ({
  sku: `A-${random(1e6)}`,
  title: text(random, 2),
  count: 1 + random(9),
  price: random(1e5) / 100,
  options: { colour: NAMES[random(NAMES.length)], size: 'M' },
});
const visit = (random, i) => ({
  path: `/${text(random, 1)}?p=${random(100)}`,
  at: 1790000000000 + 977 * i,
  ms: random(4000),
});
const unit = (random, i) => ({
  id: 1000 + i,
  kind: NAMES[random(NAMES.length)],
  x: random(1e9) / 1e6,
  y: random(1e9) / 1e6,
  hp: random(100),
});
const message = (random, i) => ({
  from: i % 2 === 0 ? 'user' : 'agent',
  id: hex(random, 12),
  text: text(random, 10 + random(30)),
});

/** A state whose JSON has about so many bytes. */
export function makeState(bytes, seed) {
  const random = seeded(seed);
  const state = {
    sid: hex(random, 32),
    user: { id: random(1e7), name: text(random, 2), roles: ['user'], seenAt: 1790000000000 + random(1e9) },
    counter: random(1e5),
    basket: [],
    visits: [],
    messages: [],
    units: [],
    log: '',
  };
  let size = JSON.stringify(state).length;
  const add = (list, value) => {
    list.push(value);
    size += JSON.stringify(value).length + 1;
  };
  for (let i = 0; size < bytes; i++) {
    const kind = i % 8;
    if (kind < 2) add(state.basket, item(random));
    else if (kind < 4) add(state.visits, visit(random, i));
    else if (kind === 4 && bytes > 4096) add(state.messages, message(random, i));
    else add(state.units, unit(random, i));
    if (i % 32 === 31) {
      state.log += `${1790000000 + i} ${text(random, 6)}\n`;
      size += 50;
    }
  }
  return state;
}

/** Small edits, of the kinds that a request makes. */
export const SMALL = {
  'one field': (state) => {
    state.counter += 1;
  },
  'longer field': (state) => {
    state.user.name += ' of the north';
  },
  'ten fields': (state, random) => {
    for (let i = 0; i < 10; i++) {
      const list = [state.basket, state.visits, state.units][i % 3];
      const one = list[random(list.length)];
      if (i % 3 === 0) one.count = 1 + random(90);
      else if (i % 3 === 1) one.ms = random(4000);
      else [one.x, one.hp] = [random(1e9) / 1e6, random(100)];
    }
  },
  insert: (state, random) => {
    state.basket.splice(state.basket.length >> 1, 0, item(random));
  },
  append: (state, random) => {
    state.log += `1799999999 ${text(random, 6)}\n`;
    state.messages.push(message(random, 0));
  },
  shift: (state, random) => {
    state.visits.shift();
    state.visits.push(visit(random, 1e6));
  },
};

/** Many numbers move a little. */
export const TICKS = Object.fromEntries(
  [5, 50].map((percent) => [
    `tick of ${percent} %`,
    (state, random) => {
      for (const one of state.units) {
        if (random(100) >= percent) continue;
        one.x += random(1e6) / 1e6;
        one.y += random(1e6) / 1e6;
      }
    },
  ]),
);

/** The same members in another order. */
export const REORDER = {
  reorder: (state) => {
    for (const name of Object.keys(state).toReversed()) {
      const value = state[name];
      delete state[name];
      state[name] = value;
    }
    for (let i = 0; i < state.basket.length; i += 7) {
      state.basket[i] = Object.fromEntries(Object.entries(state.basket[i]).toReversed());
    }
  },
};

/** Each edit of a state of each size: `{ group, name, base, target }`. */
export function seededPairs() {
  const groups = { small: SMALL, ticks: TICKS, reorder: REORDER };
  const bytesOf = (state) => Buffer.from(JSON.stringify(state));
  return [1 << 10, 1 << 16, 1 << 20].flatMap((size) => {
    const state = makeState(size, 7 + size);
    const base = bytesOf(state);
    const pairs = Object.entries(groups).flatMap(([group, edits]) =>
      Object.entries(edits).map(([name, edit]) => {
        const edited = structuredClone(state);
        edit(edited, seeded(99 + size));
        return { group, name: `${name}, ${size}`, base, target: bytesOf(edited) };
      }),
    );
    const unrelated = {
      group: 'unrelated',
      name: `unrelated, ${size}`,
      base,
      target: bytesOf(makeState(size, 4242 + size)),
    };
    return [...pairs, unrelated];
  });
}
