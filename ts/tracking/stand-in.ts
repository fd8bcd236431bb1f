import type { Collection } from './kinds.ts';
import { MAP_RECORDERS } from './map-methods.ts';
import { SET_RECORDERS } from './set-methods.ts';

/** What the engine finds where it looks past the methods. It cannot be cloned, and the error shows its text. */
const TAKE_A_COPY = Symbol('this Map or Set is part of a session: take a copy with plain(value)');

/** Not a Proxy, which libraries and the engine take for no Map at all, but a Map whose own methods work on `raw`. */
export function standInOf(raw: Collection): Collection {
  return raw instanceof Map
    ? Object.defineProperties(new Map([[TAKE_A_COPY, TAKE_A_COPY]]), MAP_RECORDERS)
    : Object.defineProperties(new Set([TAKE_A_COPY]), SET_RECORDERS);
}
