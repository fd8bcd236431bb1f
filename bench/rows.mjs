// What the benches keep in their sessions.

/** Of 6 fields, about 180 bytes each. */
export const rowOf = (i) => ({
  id: `item-${String(i).padStart(6, '0')}`,
  name: `A thing with the number ${i}`,
  price: { amount: 1000 + i, currency: 'EUR' },
  tags: ['a', `tag ${i % 7}`, `shelf ${i % 31}`],
  amount: i % 5,
  note: 'as ordered, in the usual box',
});

/** Rows of about so many bytes in all. */
export const rowsOf = (bytes) => Array.from({ length: Math.max(1, Math.round(bytes / 180)) }, (_, i) => rowOf(i));
