#!/usr/bin/env node
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDiffer } from '../diff/engine.ts';
import { HoldfastError } from '../errors.ts';
import { explainedText } from './explained.ts';
import { inspect } from './inspect.ts';
import { USAGE, UsageError, parseCommand } from './options.ts';
import type { Command, ReplayOptions } from './options.ts';
import { Progress } from './progress.ts';
import { replay } from './replay.ts';
import { jsonLine, table, verdict } from './report.ts';
import { describe } from './serve.ts';
import { check, compact, copy } from './upkeep.ts';

/** Returns the exit code: 0, or 1 when a session is not what it must be, or a store damaged; see `exitCode`. */
async function main(command: Command): Promise<number> {
  if (command.verb === 'replay') return replayAll(command.options);
  if (command.verb === 'check') return check(command.options);
  if (command.verb === 'compact') return compact(command.options);
  if (command.verb === 'copy') return copy(command.options);
  if (command.verb === 'inspect') return inspect(command.options);
  console.log(command.verb === 'help' ? USAGE : version());
  return 0;
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function replayAll(options: ReplayOptions): Promise<number> {
  for (const kept of [options.dir, options.history]) if (kept !== undefined) mkdirSync(kept, { recursive: true });
  // Chosen here, so that it is said once if the native differ is missing.
  const { engine } = loadDiffer(options.engine);
  let ok = true;
  for (const file of options.files) {
    const folder = mkdtempSync(join(options.dir ?? tmpdir(), 'holdfast-replay-'));
    const remove = options.dir === undefined ? removeAtExit(folder) : () => undefined;
    try {
      ok = (await replayOne(file, folder, { ...options, engine })) && ok;
    } finally {
      remove();
    }
  }
  return ok ? 0 : 1;
}

async function replayOne(file: string, folder: string, options: ReplayOptions): Promise<boolean> {
  let progress: Progress | undefined;
  try {
    const result = await replay(file, folder, options, {
      onBegin: ({ trace, steps }) => {
        const total = Number.isFinite(options.maxSteps) ? Math.min(steps ?? Infinity, options.maxSteps) : steps;
        progress = new Progress(process.stderr, trace, total);
      },
      onSteps: (done) => progress?.show(done),
    });
    progress?.clear();
    const explained = result.explained && `${explainedText(result.explained)}\n`;
    console.log(options.json ? jsonLine(result) : `${table(result)}\n${explained ?? ''}${verdict(result)}\n`);
    return result.ok;
  } finally {
    progress?.clear();
  }
}

/** Null: the error has none. */
function codeOf(error: unknown): string | null {
  if (error instanceof UsageError) return 'ERR_INVALID';
  return error instanceof HoldfastError ? error.code : null;
}

/** Also when the process is told to end. Returns what removes it now. */
function removeAtExit(folder: string): () => void {
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', remove);
  return () => {
    process.off('exit', remove);
    remove();
  };
}

/** Of `check` 1 says that the store is damaged: what kept it from looking is 2, as a slip of the command line is. */
function exitCode(error: unknown, args: readonly string[]): 1 | 2 {
  const isCheck = args.find((arg) => !arg.startsWith('-')) === 'check';
  return error instanceof UsageError || (isCheck && codeOf(error) !== 'ERR_CORRUPT') ? 2 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}
process.stdout.on('error', () => process.exit(1)); // nobody reads any more

try {
  process.exitCode = await main(parseCommand(process.argv.slice(2)));
} catch (error) {
  const slip = error instanceof UsageError;
  const said = slip ? error.message : describe(error);
  console.error(`holdfast: ${said}${slip ? ' (holdfast --help has the rest)' : ''}`);
  // Who reads JSON reads no other text.
  if (process.argv.includes('--json')) console.log(JSON.stringify({ ok: false, code: codeOf(error), error: said }));
  process.exitCode = exitCode(error, process.argv.slice(2));
}
