import type { Store } from '../../ts/store/store.ts';

type Method = 'read' | 'append' | 'replace' | 'lock' | 'unlock' | 'touch' | 'join' | 'list' | 'ping';

/** What becomes of a call: `call` makes it on the store behind. */
export type Detours = {
  [K in Method]?: (call: () => ReturnType<Store[K]>, ...args: Parameters<Store[K]>) => ReturnType<Store[K]>;
};

/** A store some of whose calls go another way; it has no address, so that it passes for a place of its own. */
export function through(store: Store, detours: Detours): Store {
  return new Proxy(store, {
    get(target, name: Method | 'address') {
      if (name === 'address') return undefined;
      const found = target[name] as unknown;
      if (typeof found !== 'function') return found;
      const method = found.bind(target) as (...args: unknown[]) => unknown;
      const detour = detours[name] as ((call: () => unknown, ...args: unknown[]) => unknown) | undefined;
      return (...args: unknown[]) => (detour === undefined ? method(...args) : detour(() => method(...args), ...args));
    },
  });
}
