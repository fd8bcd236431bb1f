import { HoldfastError } from '../../ts/errors.ts';
import type { OutageOptions, Store } from '../../ts/store/store.ts';

/** `cut`: nothing is sent; `mute`: what is sent arrives, and nothing comes back; `stopped`: both wait until it goes on. */
export type WireState = 'up' | 'cut' | 'mute' | 'stopped';

const METHODS = new Set(['read', 'append', 'replace', 'lock', 'unlock', 'touch', 'join', 'list', 'inspect', 'ping']);

/** A way to a store that can be in trouble, with a policy for that. */
export class Wire {
  readonly store: Store;
  /** Calls that were made, by name. */
  readonly made: string[] = [];
  #state: WireState = 'up';
  readonly #waiting: (() => void)[] = [];

  constructor(behind: Store, outage?: OutageOptions) {
    this.store = new Proxy(behind, {
      get: (target, name: keyof Store) => {
        if (name === 'address') return undefined;
        if (name === 'outage') return outage;
        const found = target[name] as unknown;
        if (typeof found !== 'function') return found;
        const method = found.bind(target) as (...args: unknown[]) => Promise<unknown>;
        return METHODS.has(name) ? (...args: unknown[]) => this.#carry(name, () => method(...args)) : method;
      },
    });
  }

  set state(state: WireState) {
    this.#state = state;
    if (state !== 'stopped') for (const go of this.#waiting.splice(0)) go();
  }

  async #carry(name: string, call: () => Promise<unknown>): Promise<unknown> {
    this.made.push(name);
    if (this.#state === 'stopped') await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#state === 'cut') throw new HoldfastError('ERR_UNAVAILABLE', 'the wire is cut', { outcome: 'none' });
    const isMute = this.#state === 'mute';
    const answer = await call();
    if (isMute) throw new HoldfastError('ERR_UNAVAILABLE', 'the wire is mute', { outcome: 'unknown' });
    return answer;
  }
}
