import { defineSession, immutable, mutable } from '../index.ts';
import type { SessionDefinition } from '../index.ts';

export interface Profile {
  name: string;
  email: string;
  language: string;
  newsletter: string;
}

/** One thing that the user did. */
export interface Visit {
  readonly request: string;
  readonly what: string;
}

export interface Order {
  readonly number: string;
  readonly day: string;
  readonly articles: readonly string[];
  readonly total: number;
}

export interface Answer {
  readonly articles: number;
}

/** What a user's session holds: some 10s of KB. */
export interface Shop {
  readonly user?: string;
  profile?: Profile;
  cart: Record<string, number>;
  history: Visit[];
  /** By request id: a request that comes again is answered again, and not done again. */
  answers: Record<string, Answer>;
  orders: Order[];
}

export const shop: SessionDefinition<Shop, Partial<Shop>> = defineSession({
  user: immutable<string>(),
  profile: mutable<Profile>(),
  cart: mutable<Record<string, number>>(() => ({})),
  history: mutable<Visit[]>(() => []),
  answers: mutable<Record<string, Answer>>(() => ({})),
  orders: mutable<Order[]>(() => []),
});

const WORDS = [
  'lamp',
  'kettle',
  'anchor',
  'rope',
  'lantern',
  'compass',
  'barrel',
  'sextant',
  'hammock',
  'pulley',
  'oar',
  'buoy',
];
const OLD_ORDERS = 160;

/** A user who has been here before. */
export function firstState(user: string): Partial<Shop> {
  const orders = Array.from({ length: OLD_ORDERS }, (_, index) => ({
    number: `${user}-${1000 + index}`,
    day: new Date(Date.UTC(2024, 0, 1 + 3 * index)).toISOString().slice(0, 10),
    articles: WORDS.filter((_, word) => (index * 7 + word * 5) % 11 < 4).map((word) => `${word}-${index % 40}`),
    total: 5 + ((index * 7919) % 20_000) / 100,
  }));
  return {
    user,
    profile: { name: `User ${user}`, email: `${user}@example.com`, language: 'en', newsletter: 'weekly' },
    orders,
  };
}
