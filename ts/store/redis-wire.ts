import type { Position } from '../position.ts';
import type { Token } from '../token.ts';
import type { LockOwner, LockView } from './lock.ts';
import type { Append, Appended, Expiry, Head, HeadState, LockReply, LockRequest, ReadRequest } from './store.ts';
import type { SessionImage, Tail, Touch, Touched } from './store.ts';

/** What the scripts take and answer, byte by byte: `redis-*-lua.ts` have the other half. */
export type Argument = string | Buffer;
/** Of a script: whole numbers, bytes, and lists of them. */
export type Reply = number | Buffer | readonly Reply[];

const NONCE_BYTES = 6;
/** Nothing lies beyond, so that what asks for it is answered like any other that is not there. */
const LAST = 2 ** 48 - 1;

/** Puts numbers and flags behind each other. */
class Packer {
  readonly #parts: Uint8Array[] = [];

  count(value: number): this {
    const bytes = Buffer.allocUnsafe(NONCE_BYTES);
    bytes.writeUIntBE(Math.min(value, LAST), 0, NONCE_BYTES);
    return this.bytes(bytes);
  }

  double(value: number): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleBE(value);
    return this.bytes(bytes);
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  flag(value: boolean | undefined): this {
    return this.text(value === undefined ? '-' : value ? 'y' : 'n');
  }

  bytes(value: Uint8Array): this {
    this.#parts.push(value);
    return this;
  }

  /** A copy of all of it. */
  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

const ruleOf = ({ idleMs, ageMs }: Expiry): object => ({ i: idleMs, a: ageMs });
const termsOf = (terms: readonly string[] | undefined): readonly string[] | undefined => terms && [...new Set(terms)];

const KINDS = ['snapshot', 'delta', 'end'] as const;
const LOCKS = ['renew', 'leave', 'release'] as const;
const BEGINS = [undefined, true, false] as const;

/** In as few bytes as it takes, one at least: a save's header is sent each time. */
function trim(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(value));
  const first = bytes.findIndex((byte) => byte !== 0);
  return bytes.subarray(first < 0 ? 7 : first);
}

export function packAppend(append: Append): Argument[] {
  const { position, parent, kind, under, expiry, first, terms, begins, createdAt } = append;
  const request = typeof under === 'object' ? under : undefined;
  const then = append.lock ?? (request === undefined ? 'renew' : 'release');
  const revision = trim(Math.min(position.revision, LAST));
  const token = trim(typeof under === 'number' ? under : 0);
  const does = 9 * KINDS.indexOf(kind) + 3 * LOCKS.indexOf(then) + BEGINS.indexOf(begins);
  const header = new Packer()
    .bytes(Buffer.of(does, 8 * revision.length + token.length))
    .bytes(revision)
    .count(position.nonce)
    .count(parent.nonce)
    .bytes(token)
    .bytes(append.bytes)
    .done();
  const more = {
    x: expiry && ruleOf(expiry),
    f: first,
    T: termsOf(terms),
    c: kind === 'delta' ? undefined : createdAt,
    q: request && [request.member, request.ticket, request.leaseMs, request.wait ? 1 : 0],
  };
  return Object.values(more).every((value) => value === undefined) ? [header] : [header, JSON.stringify(more)];
}

const packSince = ({ since, limitBytes = Infinity, kept = false }: ReadRequest): Packer =>
  new Packer().count(since.revision).count(since.nonce).double(limitBytes).flag(kept);

export const packRead = (request: ReadRequest): Argument[] => [packSince(request).done()];

export const packLock = (request: LockRequest): Argument[] => [
  packSince(request)
    .flag(request.existing === true)
    .flag(request.wait)
    .double(request.ticket)
    .double(request.leaseMs)
    .text(request.member)
    .done(),
];

export const packUnlock = (who: { readonly token: Token } | LockOwner): Argument[] => [
  'member' in who ? new Packer().double(who.ticket).text(who.member).done() : new Packer().double(who.token).done(),
];

export function packTouch({ token, renew, expiry }: Touch): Argument[] {
  const header = new Packer()
    .double(token)
    .flag(renew === true)
    .done();
  return expiry === undefined ? [header] : [header, JSON.stringify(ruleOf(expiry))];
}

export function packReplace(image: SessionImage, expected: Position | undefined): Argument[] {
  const { records, token, createdAt, expiry, terms } = image;
  const told = {
    p: expected && [expected.revision, expected.nonce],
    t: token,
    c: createdAt,
    x: ruleOf(expiry),
    T: terms !== undefined && terms.length > 0 ? termsOf(terms) : undefined,
    f: records[0]?.position.revision,
    k: records.map(({ kind }) => kind.charAt(0)).join(''),
  };
  return [
    JSON.stringify(told),
    ...records.map(({ position, bytes }) => new Packer().count(position.nonce).bytes(bytes).done()),
  ];
}

const STATES: Readonly<Record<string, HeadState>> = { l: 'live', e: 'ended', x: 'expired' };

/** Undefined: the row is there for its lock alone, or not at all. */
function headOf(reply: Reply): Head | undefined {
  const bytes = reply as Buffer;
  if (bytes.length === 0) return undefined;
  const double = (index: number): number => bytes.readDoubleBE(1 + 8 + NONCE_BYTES + 8 * index);
  const [token, first, snapshot, snapshotBytes, deltaBytes, createdAt, leftMs, idleMs, ageMs] = Array.from(
    { length: 9 },
    (_, index) => double(index),
  ) as [number, number, number, number, number, number, number, number, number];
  return {
    state: STATES[bytes.toString('latin1', 0, 1)] as HeadState,
    position: { revision: bytes.readDoubleBE(1), nonce: bytes.readUIntBE(9, NONCE_BYTES) },
    token,
    first,
    snapshot,
    snapshotBytes,
    deltaBytes,
    createdAt,
    expiry: { ...(idleMs > 0 && { idleMs }), ...(ageMs > 0 && { ageMs }) },
    leftMs,
  };
}

export function tailOf(reply: Reply): Tail {
  const [head, whole, revision, nonce, terms, ...records] = reply as readonly [Buffer, number, number, number, Buffer];
  return {
    head: headOf(head),
    records: records as readonly Buffer[],
    whole: whole === 1,
    ...(revision > 0 && { next: { revision, nonce } }),
    ...(terms.length > 0 && { terms: JSON.parse(terms.toString()) as string[] }),
  };
}

const doubleOf = (reply: Reply | undefined): number => (reply as Buffer).readDoubleBE();

/** `under`: the token of the writer, where it brought one. */
export function appendedOf(reply: Reply, under: Token): Appended {
  if (typeof reply === 'number') return { appended: true, token: under, wanted: reply === 1 };
  const [what, token, rest, leaseLeft, wanted] = reply as readonly Reply[];
  const kind = String(what);
  if (kind === 'a') return { appended: true, token: token as number, wanted: rest === 1 };
  if (kind === 'l') return { appended: false, why: 'locked', retryMs: doubleOf(token) };
  return {
    appended: false,
    why: kind === 'f' ? 'fenced' : 'conflict',
    token: token as number,
    tail: tailOf(rest as Reply),
    ...(leaseLeft !== undefined && {
      grant: { token: token as number, leaseLeftMs: doubleOf(leaseLeft), wanted: wanted === 1 },
    }),
  };
}

export function lockReplyOf(reply: Reply): LockReply {
  const [granted, ...rest] = reply as readonly Reply[];
  if (granted === 0) {
    const [retry, tail] = rest;
    return { granted: false, retryMs: doubleOf(retry), ...(tail !== undefined && { tail: tailOf(tail) }) };
  }
  const [token, leaseLeft, wanted, tail] = rest as unknown as readonly [number, Buffer, number, Reply];
  return { granted: true, token, leaseLeftMs: doubleOf(leaseLeft), wanted: wanted === 1, tail: tailOf(tail) };
}

export function touchedOf(reply: Reply): Touched {
  const [what, more, queued] = reply as readonly [Buffer, Buffer, number];
  const kind = String(what);
  const wanted = queued === 1;
  if (kind === 't') return { touched: true, leftMs: doubleOf(more), wanted };
  return { touched: false, why: kind === 'f' ? 'fenced' : 'gone', head: headOf(more), wanted };
}

export function inspectedOf(reply: Reply): { readonly head: Head | undefined; readonly lock: LockView } {
  const [head, holder, ...queue] = reply as readonly [Buffer, readonly Reply[], ...(readonly Reply[])[]];
  const [member, leaseLeft, recalled] = holder;
  return {
    head: headOf(head),
    lock: {
      ...(member !== undefined && {
        holder: { member: String(member), leaseLeftMs: doubleOf(leaseLeft), recalled: recalled === 1 },
      }),
      queue: queue.map(([name, leftMs]) => ({ member: String(name), leftMs: doubleOf(leftMs) })),
    },
  };
}
