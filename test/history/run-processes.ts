import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('processes.mjs', import.meta.url));

/** What `processes.mjs` prints, and ends with: 1 where something was found. */
export interface Report {
  readonly code: number;
  readonly killed: number;
  readonly stopped: number;
  /** Uses that went on without the store. */
  readonly here?: number;
  readonly acknowledged: number;
  readonly found: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
}

/** A little below the time that the test has. */
interface Bounded {
  readonly timeoutMs: number;
  readonly env?: Readonly<Record<string, string>>;
}

export function runProcesses(args: readonly string[], { timeoutMs, env }: Bounded): Promise<Report> {
  const options = { timeout: timeoutMs, env: { ...process.env, ...env } };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      if (code === 0 || code === 1) resolve({ code, ...(JSON.parse(stdout) as Omit<Report, 'code'>) });
      else reject(new Error(`${String(error)}\n${stdout}${stderr}`));
    });
  });
}
