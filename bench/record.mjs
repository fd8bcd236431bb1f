import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

/** What a bench prints: `line` by line; at the `end` it is kept in bench/record/, under its name and date, if that is `asked`. */
export function recorder(name, asked) {
  const began = new Date().toISOString().slice(0, 16);
  const lines = [];
  const line = (text = '') => {
    console.log(text);
    lines.push(text);
  };
  line(
    `${began}Z, ${cpus()[0]?.model} × ${cpus().length}, ${process.platform} ${process.arch}, Node ${process.version}, load ${loadavg()[0].toFixed(1)} when it began`,
  );
  return {
    line,
    end() {
      if (!asked) return;
      const folder = new URL('record/', import.meta.url);
      mkdirSync(folder, { recursive: true });
      writeFileSync(new URL(`${name}-${began.replace(':', '')}.txt`, folder), `${lines.join('\n')}\n`);
    },
  };
}
