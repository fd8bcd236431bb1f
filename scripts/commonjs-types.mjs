// Types for who says `require`: the declarations of dist/ again, in dist/commonjs, where a package.json says that they
// are CommonJS. The code itself is one, as Node requires ES modules; the compiler asks for types that say so.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const to = join(dist, 'commonjs');

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
for (const file of reached()) {
  const copy = join(to, relative(dist, file));
  mkdirSync(dirname(copy), { recursive: true });
  copyFileSync(file, copy);
}
writeFileSync(join(to, 'package.json'), '{ "type": "commonjs" }\n');

/** The declarations that the package's entries lead to. */
function reached() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const files = Object.values(exports).flatMap(({ types }) => (types === undefined ? [] : [join(root, types)]));
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    for (const [, , specifier] of text.matchAll(/\b(from|import)\s*\(?\s*'(\.[^']*)'/g)) {
      const next = join(dirname(file), specifier.replace(/\.[jt]s$/, '.d.ts'));
      if (!files.includes(next)) files.push(next);
    }
  }
  return files;
}
