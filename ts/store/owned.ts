import type { Append } from './store.ts';

/** What the caller makes of its objects after the call is no business of the store's. */
export function ownedAppend(request: Append): Append {
  const { parent, position, under, expiry, terms } = request;
  return {
    parent: { revision: parent.revision, nonce: parent.nonce },
    position: { revision: position.revision, nonce: position.nonce },
    kind: request.kind,
    bytes: new Uint8Array(request.bytes),
    under: typeof under === 'object' ? { ...under } : under,
    expiry: expiry && { ...expiry },
    begins: request.begins,
    createdAt: request.createdAt,
    first: request.first,
    terms: terms && [...terms],
    lock: request.lock,
    durability: request.durability,
    version: request.version,
  };
}
