import { readFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from './errors.ts';

const NAME = 'holdfast';
/** As in package.json; bundles carry it along. */
export const VERSION = '0.1.0';

/** The file that this code is in: of the package, or a bundle. One in CommonJS has no `import.meta.url`. */
const here: string = fileOf(import.meta.url as string | undefined);

function fileOf(url: string | undefined): string {
  if (url !== undefined) return fileURLToPath(url);
  return typeof __filename === 'string' ? __filename : join(process.cwd(), 'bundle');
}

/** Loads what bundlers must not see: binaries, and packages that need not be there. (webpack sees a named import.) */
export const requireLate: NodeJS.Require = module.createRequire(here);

interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
}

function manifestIn(dir: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
}

function installed(): string | undefined {
  try {
    return dirname(requireLate.resolve(`${NAME}/package.json`));
  } catch {
    return undefined;
  }
}

const own = join(dirname(here), '..');
const isBundle = manifestIn(own)?.name !== NAME;

/**
 * The package's folder, which has what no bundle can: the binary and the helper thread's file. `ERR_UNAVAILABLE`: this
 * is a bundle, and the package of its version is not beside it.
 */
export function packageFolder(): string {
  if (!isBundle) return own;
  const found = installed();
  const version = found === undefined ? undefined : manifestIn(found)?.version;
  if (found !== undefined && version === VERSION) return found;
  const lack =
    found === undefined ? 'is not installed beside it' : `beside it, in '${found}', is of version ${String(version)}`;
  const what = `'${here}' is a bundle with the code of ${NAME} ${VERSION}, and the package itself, with its binary, ${lack}`;
  const remedy = `name ${NAME} an external of the bundle (esbuild: --external:${NAME}) and install it where the bundle runs`;
  throw new HoldfastError('ERR_UNAVAILABLE', `${what}: ${remedy}`, { outcome: 'none' });
}
