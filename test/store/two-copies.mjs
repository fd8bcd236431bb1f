// Opens one folder by two copies of the addon. argv: addon, its copy, folder
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const [, , first, second, folder] = process.argv;

/** What the answer says when it is an error. */
function open(file) {
  const { StoreLink } = require(file);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('no answer'), 10_000);
    const link = new StoreLink(() => {
      const out = Buffer.alloc(65_536);
      const text = out.toString('latin1', 0, link.drain(out));
      clearTimeout(timer);
      resolve(/(ERR_\w+).*(another copy)/s.exec(text)?.slice(1).join(' ') ?? '');
    });
    link.open(folder, false, 1, 5000);
  });
}

process.stdout.write(`${await open(first)}${await open(second)}\n`);
process.exit(0);
