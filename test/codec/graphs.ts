import type { Loose } from '../tracking/fixture.ts';
import { seeded, type Random } from '../portions/programs.ts';

/** Graphs of containers that hold each other in any way, cycles included, and edits of them. */
type Container = Loose;

const leaf = (random: Random): unknown =>
  [random(9), `text ${random(5)}`, true, null, 1.5, undefined, new Date(random(3)), 7n][random(8)];

const kinds: readonly (() => Container)[] = [
  () => ({}),
  () => ({}),
  () => [],
  () => [],
  () => new Map(),
  () => new Set(),
  () => Object.create(null) as Container,
];

function put(holder: Container, value: unknown, random: Random): void {
  if (Array.isArray(holder)) holder.splice(random(3) === 0 ? random(holder.length + 1) : holder.length, 0, value);
  else if (holder instanceof Map) holder.set(random(6) === 0 && isObject(value) ? value : `k${holder.size}`, value);
  else if (holder instanceof Set) holder.add(value);
  else holder[random(20) === 0 ? '__proto__x' : `k${random(12)}`] = value;
}

/** `n` containers; each but the root is hung up once, some again, also further up. */
export function graphOf(seed: number, n: number): Container {
  const random = seeded(seed);
  const all = Array.from({ length: n }, (_, i) => (i === 0 ? {} : kinds[random(kinds.length)]!()));
  for (const one of all) for (let i = random(4); i > 0; i -= 1) put(one, leaf(random), random);
  for (let i = 1; i < n; i += 1) put(all[random(i)], all[i], random);
  for (let i = random(n); i > 0; i -= 1) put(all[random(n)], all[random(n)], random);
  return all[0];
}

/** A tree of the same kinds of containers. */
export function treeOf(seed: number, n: number): Container {
  const random = seeded(seed);
  const all = Array.from({ length: n }, (_, i) => (i === 0 ? [] : kinds[random(kinds.length)]!()));
  for (let i = 1; i < n; i += 1) all[0].push(all[i]);
  for (const one of all) put(one, leaf(random), random);
  return all[0];
}

const isObject = (value: unknown): value is Container =>
  typeof value === 'object' && value !== null && !(value instanceof Date);

const partsOf = (value: Container): unknown[] =>
  value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value as object);

/** All containers, in the order in which they are met, each with how often it is there. */
export function containersOf(root: Container): Map<Container, number> {
  const found = new Map<Container, number>();
  const visit = (value: unknown): void => {
    if (!isObject(value)) return;
    found.set(value, (found.get(value) ?? 0) + 1);
    if (found.get(value) === 1) partsOf(value).forEach(visit);
  };
  visit(root);
  return found;
}

/** Puts something somewhere, or takes it away. */
export function editOnce(root: Container, random: Random): void {
  const all = [...containersOf(root).keys()];
  const holder = all[random(all.length)];
  const value = random(2) === 0 ? all[random(all.length)] : leaf(random);
  if (random(5) > 1) return put(holder, value, random);
  if (Array.isArray(holder)) return void holder.splice(random(holder.length + 1), 1);
  if (holder instanceof Map || holder instanceof Set) return void holder.delete([...holder.keys()][random(3)]);
  const keys = Object.keys(holder);
  if (keys.length > 0) delete holder[keys[random(keys.length)]!];
}
