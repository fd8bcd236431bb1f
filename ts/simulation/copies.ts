import type { Draws } from '../entropy.ts';
import { ORIGIN, samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import type { Append, Expiry, RecordKind, Tail } from '../store/store.ts';
import type { Token } from '../token.ts';

/** What a client's record says: readable, and with its parent, as every record has it. */
interface Note {
  readonly parent: number;
  readonly position: Position;
  readonly kind: RecordKind;
  /** Of a delta those that it adds, of a snapshot all. */
  readonly keys: readonly string[];
}

const encode = (note: Note): Uint8Array => Buffer.from(JSON.stringify(note));
export const place = ({ position, kind }: Note): { readonly position: Position; readonly kind: RecordKind } => ({
  position,
  kind,
});
export const decode = (bytes: Uint8Array): Note => JSON.parse(Buffer.from(bytes).toString()) as Note;

/** A session as a client knows it. */
export interface Copy {
  position: Position;
  keys: string[];
  token: Token;
  state: 'none' | 'live' | 'expired' | 'ended';
}

/** A session's deltas before the next snapshot. */
const DELTAS = 5;

/** What one client knows of sessions: made of the records that a store answers with, and extended by its own. */
export class Copies {
  readonly #copies = new Map<string, Copy>();
  readonly #draws: Draws;
  readonly #expiry: Expiry;
  readonly #onBroken: (how: string) => void;

  /** `onBroken` is told of records that do not follow one another. */
  constructor(draws: Draws, expiry: Expiry, onBroken: (how: string) => void) {
    this.#draws = draws;
    this.#expiry = expiry;
    this.#onBroken = onBroken;
  }

  of(id: string): Copy {
    let copy = this.#copies.get(id);
    if (copy === undefined) this.#copies.set(id, (copy = { position: ORIGIN, keys: [], token: 0, state: 'none' }));
    return copy;
  }

  tokenOf(id: string): Token | undefined {
    return this.#copies.get(id)?.token;
  }

  /** Takes in what the store answered to a request since `since`. */
  replay(id: string, since: Position, { head, records, whole, next }: Tail): void {
    const copy = this.of(id);
    if (whole) Object.assign(copy, { position: ORIGIN, keys: [] });
    else if (!samePosition(since, copy.position)) throw new Error(`'${id}' was asked for since another position`);
    records.map(decode).forEach((note, i) => {
      const begins = whole && i === 0;
      if (begins ? note.kind === 'delta' : note.parent !== copy.position.nonce)
        this.#onBroken(`'${id}': ${note.position.revision} stands after ${copy.position.revision}`);
      copy.keys = note.kind === 'delta' ? [...copy.keys, ...note.keys] : [...note.keys];
      copy.position = note.position;
    });
    copy.state = head?.state ?? 'none';
    copy.token = Math.max(copy.token, head?.token ?? 0);
    if (head?.state === 'expired') Object.assign(copy, { position: head.position, keys: [] });
    else if (next === undefined && !samePosition(head?.position ?? ORIGIN, copy.position))
      this.#onBroken(`'${id}': the tail does not lead to its head`);
  }

  /** The append that adds a key. */
  next(copy: Copy, key: string, under: Append['under'], lock: Append['lock']): Append {
    const { position: parent } = copy;
    const position = { revision: parent.revision + 1, nonce: this.#draws.nonce() };
    const snapshot = copy.state !== 'live' || position.revision % DELTAS === 0;
    const keys = copy.state !== 'live' ? [key] : snapshot ? [...copy.keys, key] : [key];
    const kind = snapshot ? 'snapshot' : 'delta';
    const bytes = encode({ parent: parent.nonce, position, kind, keys });
    return {
      parent,
      position,
      kind,
      bytes,
      begins: copy.state !== 'live',
      under,
      lock,
      ...(copy.state !== 'live' && { expiry: this.#expiry }),
    };
  }

  /** The append that ends it. */
  end(copy: Copy, under: Token): Append {
    const { position: parent } = copy;
    const position = { revision: parent.revision + 1, nonce: this.#draws.nonce() };
    const bytes = encode({ parent: parent.nonce, position, kind: 'end', keys: [] });
    return { parent, position, kind: 'end', bytes, under, lock: 'release' };
  }

  /** Takes in what the store has acknowledged. */
  take(id: string, append: Append, token: Token): Copy {
    const copy = this.of(id);
    const { keys: added } = decode(append.bytes);
    copy.keys = append.kind === 'delta' ? [...copy.keys, ...added] : [...added];
    return Object.assign(copy, {
      position: append.position,
      state: append.kind === 'end' ? ('ended' as const) : ('live' as const),
      token: Math.max(copy.token, token),
    });
  }
}
