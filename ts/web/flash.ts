import { mutable } from '../session/definition.ts';
import type { AttributeSpec } from '../session/definition.ts';
import type { Web } from './web.ts';

/** A message for the next page that is shown. */
export interface Flash {
  readonly kind: string;
  readonly text: string;
}

/** A state with an attribute for them. */
export interface Flashing {
  flash: Flash[];
}

/** The attribute that they need: `defineSession({ flash: flashes(), … })`. */
export function flashes(): AttributeSpec<Flash[], 'mutable', 'default'> {
  return mutable<Flash[]>(() => []);
}

/** Leaves a message for the next page. */
export async function flash<Req, S extends Flashing, V extends object>(
  web: Pick<Web<Req, S, V>, 'scope'>,
  req: Req,
  kind: string,
  text: string,
): Promise<void> {
  await web.scope(req, (state) => void state.flash.push({ kind, text }));
}

/** The messages that were left, each once; where there are none nothing is locked or written. */
export async function takeFlashes<Req, S extends Flashing, V extends object>(
  web: Pick<Web<Req, S, V>, 'read' | 'scope'>,
  req: Req,
): Promise<Flash[]> {
  const shown = (await web.read(req)) as Flashing | undefined;
  if (shown === undefined || shown.flash.length === 0) return [];
  return web.scope(req, (state) => state.flash.splice(0));
}
