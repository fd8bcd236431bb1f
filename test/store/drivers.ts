import { AddonLink } from '../../ts/store/addon-link.ts';
import type { SqliteLink } from '../../ts/store/sqlite-link.ts';
import { ThreadLink } from '../../ts/store/thread-link.ts';

/** Whether the addon is built. */
export const HAS_ADDON: boolean = await import('../../ts/addon.ts')
  .then(({ loadAddon }) => loadAddon() !== undefined)
  .catch(() => false);

const asked = process.env['HOLDFAST_SQLITE'];
/** The SQLite that stands in for the addon in these tests: the environment may name another. */
export const MODULE: string =
  asked === undefined || asked === '' || asked === 'addon' ? '@photostructure/sqlite' : asked;

/** What was said beside Node's warning that its own SQLite is new. */
export const saidBy = (stderr: string): string =>
  stderr.replaceAll(/^.*(?:ExperimentalWarning: SQLite|--trace-warnings).*\n/gm, '');

/** By the way that the environment asks for, to what lies below a store. */
export const openLink = (dir: string): Promise<SqliteLink> =>
  asked === undefined || asked === '' || asked === 'addon'
    ? AddonLink.open(dir, false, 5000)
    : ThreadLink.open(dir, false, 5000, { name: asked });
