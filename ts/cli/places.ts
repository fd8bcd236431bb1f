import { resolve } from 'node:path';
import { defineSession, immutable, mutable, unclassified } from '../session/definition.ts';
import type { AttributeSpec, Attributes, SessionDefinition } from '../session/definition.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import type { AttributeClass, SaveMode } from '../tracking/classes.ts';
import type { Places } from './messages.ts';
import type { State, TraceHeader } from './trace.ts';

/** The primary, then the backups. */
export function openStores({ store, dirs }: Places): Promise<Store[]> {
  const addressOf = { memory: () => 'memory:', sqlite: (dir: string) => resolve(dir), redis: (url: string) => url };
  return Promise.all(dirs.map((dir) => openStore(addressOf[store](dir))));
}

/** `primary`, `backup 1`, … */
export const nameOfPlace = (place: number): string => (place === 0 ? 'primary' : `backup ${place}`);

/**
 * Attributes of the classes that the trace names; all others are unclassified, so that only what is written is looked
 * at, or mutable, where it is asked for what may have been changed.
 */
export function definitionOf(
  { classes }: Pick<TraceHeader, 'classes'>,
  saveMode: SaveMode = 'write',
): SessionDefinition<State, State> {
  const attributes: Attributes = Object.fromEntries(
    Object.entries(classes).map(([name, which]) => [name, specOf(name, which)]),
  );
  const undeclared = saveMode === 'mutable-access' ? mutable<unknown>() : unclassified<unknown>();
  return defineSession(attributes, { undeclared });
}

function specOf(name: string, which: string): AttributeSpec<unknown, AttributeClass, 'optional'> {
  if (which === 'immutable') return immutable<unknown>();
  if (which === 'mutable') return mutable<unknown>();
  if (which === 'unclassified') return unclassified<unknown>();
  throw new Error(`attribute '${name}' has the unknown class '${which}'`);
}
