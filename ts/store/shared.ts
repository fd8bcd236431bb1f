import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Capabilities, Membership, Store } from './store.ts';

/** One store with several users. */
interface Place {
  readonly store: Store;
  /** Undefined: the system's. All who share it must agree. */
  readonly clock: Clock | undefined;
  users: number;
}

/** The one registry of the process: stores that are the same place to all who open them by the same address. */
const places = new Map<string, Place>();

/**
 * A store of its own to its user, and the same place as all others of `address`; what `open` made is closed with the
 * last of them.
 */
export function share(address: string, clock: Clock | undefined, open: () => Store): Store {
  let place = places.get(address);
  if (place === undefined) places.set(address, (place = { store: open(), clock, users: 0 }));
  else if (place.clock !== clock)
    throw new HoldfastError(
      'ERR_INVALID',
      `'${address}' is open in this process with another clock: open it with the same one`,
    );
  place.users += 1;
  return new SharedStore(address, place);
}

class SharedStore implements Store {
  readonly address: string;
  readonly #place: Place;
  readonly #memberships = new Set<Membership>();
  #closing: Promise<void> | undefined;

  constructor(address: string, place: Place) {
    this.address = address;
    this.#place = place;
  }

  get can(): Capabilities {
    return this.#place.store.can;
  }

  get #store(): Store {
    if (this.#closing !== undefined)
      throw new HoldfastError('ERR_CLOSED', `the store '${this.address}' has been closed; open it again`);
    return this.#place.store;
  }

  async read(...call: Parameters<Store['read']>): ReturnType<Store['read']> {
    return this.#store.read(...call);
  }

  async append(...call: Parameters<Store['append']>): ReturnType<Store['append']> {
    return this.#store.append(...call);
  }

  async replace(...call: Parameters<Store['replace']>): ReturnType<Store['replace']> {
    return this.#store.replace(...call);
  }

  async lock(...call: Parameters<Store['lock']>): ReturnType<Store['lock']> {
    return this.#store.lock(...call);
  }

  async unlock(...call: Parameters<Store['unlock']>): ReturnType<Store['unlock']> {
    return this.#store.unlock(...call);
  }

  async touch(...call: Parameters<Store['touch']>): ReturnType<Store['touch']> {
    return this.#store.touch(...call);
  }

  async join(...call: Parameters<Store['join']>): ReturnType<Store['join']> {
    const joined = await this.#store.join(...call);
    const membership: Membership = {
      member: joined.member,
      epoch: joined.epoch,
      watch: (...watch) => joined.watch(...watch),
      leave: () => {
        this.#memberships.delete(membership);
        return joined.leave();
      },
    };
    this.#memberships.add(membership);
    if (this.#closing !== undefined) await membership.leave(); // closed meanwhile
    return membership;
  }

  async list(...call: Parameters<Store['list']>): ReturnType<Store['list']> {
    return this.#store.list(...call);
  }

  async inspect(...call: Parameters<Store['inspect']>): ReturnType<Store['inspect']> {
    return this.#store.inspect(...call);
  }

  async sweep(...call: Parameters<Store['sweep']>): ReturnType<Store['sweep']> {
    return this.#store.sweep(...call);
  }

  async promote(...call: Parameters<Store['promote']>): ReturnType<Store['promote']> {
    return this.#store.promote(...call);
  }

  async ping(...call: Parameters<Store['ping']>): ReturnType<Store['ping']> {
    return this.#store.ping(...call);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#place.users -= 1;
    const last = this.#place.users === 0;
    if (last) places.delete(this.address);
    await Promise.all([...this.#memberships].map((membership) => membership.leave()));
    if (last) await this.#place.store.close();
  }
}
