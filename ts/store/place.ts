import type { Store } from './store.ts';

type Place = Pick<Store, 'address'>;

/** Whether two stores are the same place, be it through two handles. */
export const samePlace = (one: Place, other: Place): boolean =>
  one === other || (one.address !== undefined && one.address === other.address);
