// What an access through the tracked state costs, against the same access to a plain object. Ratios of one run hold.
// node bench/tracking.mjs [../dist]   after `npm run build`
const dist = process.argv[2] ?? '../dist';
const { Tracker } = await import(`${dist}/tracking/tracker.js`);

function track(values) {
  const slots = new Map(Object.entries(values));
  slots.names = () => [...slots.keys()];
  return new Tracker(slots, { saveMode: 'write', classOf: () => 'mutable' });
}

const make = (n) => ({
  user: { name: 'Ada', address: { city: 'London', zip: 1 } },
  count: 1,
  list: Array.from({ length: n }, (_, i) => ({ id: i, price: i * 1.25, tags: ['a', 'b'], seller: { name: `s${i}` } })),
  map: new Map(Array.from({ length: n }, (_, i) => [`k${i}`, { n: i }])),
});

let sink = 0;
const ROUNDS = 2_000;
const CASES = {
  'read an attribute': (s) => {
    for (let i = 0; i < 100; i++) sink += s.count;
  },
  'read 3 deep': (s) => {
    for (let i = 0; i < 100; i++) sink += s.user.address.zip;
  },
  'read in a held object': (s) => {
    const a = s.user.address;
    for (let i = 0; i < 100; i++) sink += a.zip;
  },
  'read a child of a held object': (s) => {
    const u = s.user;
    for (let i = 0; i < 100; i++) sink += u.address === undefined ? 0 : 1;
  },
  'write 3 deep': (s) => {
    for (let i = 0; i < 100; i++) s.user.address.zip = i;
  },
  'write in a held object': (s) => {
    const a = s.user.address;
    for (let i = 0; i < 100; i++) a.zip = i;
  },
  'assign a new object': (s) => {
    for (let i = 0; i < 100; i++) s.user.last = { at: i, by: { id: i } };
  },
  'push and pop': (s) => {
    const l = s.list;
    for (let i = 0; i < 100; i++) {
      l.push({ id: i });
      l.pop();
    }
  },
  'for of 100 elements': (s) => {
    for (const item of s.list) sink += item.price;
  },
  'forEach of 100 elements': (s) => {
    s.list.forEach((item) => {
      sink += item.price;
    });
  },
  'Map.get': (s) => {
    const m = s.map;
    for (let i = 0; i < 100; i++) sink += m.get('k7').n;
  },
  'for of 100 Map entries': (s) => {
    for (const [, value] of s.map) sink += value.n;
  },
};

function median(run) {
  for (let i = 0; i < 3_000; i++) run();
  const times = [];
  for (let i = 0; i < ROUNDS; i++) {
    const start = process.hrtime.bigint();
    run();
    times.push(Number(process.hrtime.bigint() - start) / 100);
  }
  return times.sort((a, b) => a - b)[ROUNDS >> 1];
}

console.log('each, of 100'.padEnd(32), 'plain'.padStart(10), 'tracked'.padStart(10));
for (const [name, run] of Object.entries(CASES)) {
  const bare = make(100);
  const { state } = track(make(100));
  const [a, b] = [median(() => run(bare)), median(() => run(state))];
  console.log(
    name.padEnd(32),
    `${a.toFixed(1)} ns`.padStart(10),
    `${b.toFixed(1)} ns`.padStart(10),
    `×${(b / a).toFixed(1)}`.padStart(8),
  );
}

// Whole requests: on a fresh tracker, where nothing is cached yet, and on one in use.
const request = (s) => {
  sink += s.user.address.zip + s.list[7].price;
  s.list[8].seller.name = 'x';
  s.map.get('k3').n++;
  s.count++;
};
function medianRequest(prepare, run) {
  const times = [];
  for (let i = 0; i < 400; i++) {
    const prepared = Array.from({ length: 20 }, prepare);
    const start = process.hrtime.bigint();
    for (const one of prepared) run(one);
    times.push(Number(process.hrtime.bigint() - start) / 20);
  }
  return times.sort((a, b) => a - b)[200];
}
const held = track(make(100));
const show = (name, time) => console.log(name.padEnd(56), `${(time / 1e3).toFixed(2)} µs`.padStart(10));
console.log();
show(
  'request on a plain object',
  medianRequest(() => make(100), request),
);
show(
  'request on a fresh tracker, its making included',
  medianRequest(
    () => make(100),
    (values) => request(track(values).state),
  ),
);
show(
  'request on a tracker in use, with capture and settle',
  medianRequest(
    () => held,
    (t) => {
      request(t.state);
      t.settle(t.capture());
    },
  ),
);
if (sink === 42) console.log('');
