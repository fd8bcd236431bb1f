import type { HistoryVerdict } from './messages.ts';
import type { Result } from './result.ts';

/** As many lines are shown of what is not well. */
const DETAILS_SHOWN = 5;
const LABEL_WIDTH = 14;
const VALUE_WIDTH = 12;

type Row = readonly [label: string, ...cells: string[]];

/** The figures of a trace: a small table. */
export function table(result: Result): string {
  const {
    trace,
    sessions,
    steps,
    seconds,
    engine,
    fullBytes,
    sentBytes,
    deltaBytes,
    deltaMedian,
    deltaP99,
    snapshotBytes,
    backupBytes,
    stepP50Us,
    stepP99Us,
    handovers,
  } = result;
  const ratio = sentBytes > 0 ? `1:${(fullBytes / sentBytes).toFixed(1)}` : '';
  const rows: Row[] = [
    ['whole states', bytes(fullBytes)],
    ['sent', bytes(sentBytes), ratio],
    ['  deltas', bytes(deltaBytes), `p50 ${bytes(deltaMedian)}`, `p99 ${bytes(deltaP99)}`],
    ['  snapshots', bytes(snapshotBytes)],
    ...backupBytes.map((sent, backup): Row => [`to backup ${backup + 1}`, bytes(sent)]),
    ['time per step', '', `p50 ${whole(stepP50Us)} µs`, `p99 ${whole(stepP99Us)} µs`],
    ['hand-overs', whole(handovers)],
  ];
  const head = `${trace}   ${plural(sessions, 'session')}, ${plural(steps, 'step')}, ${seconds.toFixed(1)} s, ${engine} differ`;
  return [
    head,
    ...rows.map(([label, first = '', ...others]) =>
      `  ${label.padEnd(LABEL_WIDTH)}${first.padStart(VALUE_WIDTH)}${others.map((cell) => `   ${cell.padEnd(VALUE_WIDTH)}`).join('')}`.trimEnd(),
    ),
  ].join('\n');
}

/** A line for the states and one for the histories, and what is not well. */
export function verdict({ trace, sessions, backups, failures, history }: Result): string {
  const places = `the primary${backups === 0 ? '' : ` and ${plural(backups, 'backup')}`}`;
  const lines = [
    failures.length === 0 && sessions === 0
      ? `ok  ${trace}: no session is in it`
      : failures.length === 0
        ? `ok  ${trace}: every final sha256 holds in ${places}, read back by another process`
        : failed(
            `${trace}: ${failures.length} of ${sessions * (1 + backups)} states in ${places} are not what they must be`,
            failures,
          ),
  ];
  if (history !== undefined) lines.push(historyVerdict(trace, history));
  return lines.join('\n');
}

function historyVerdict(trace: string, { acknowledged, unknown, findings }: HistoryVerdict): string {
  const calls = `${plural(acknowledged, 'append')} acknowledged, ${unknown} of unknown outcome`;
  return findings.length === 0
    ? `ok  ${trace}: the history shows no fault: ${calls}`
    : failed(`${trace}: the history shows ${plural(findings.length, 'fault')}: ${calls}`, findings);
}

function failed(what: string, details: readonly string[]): string {
  const shown = details.slice(0, DETAILS_SHOWN).map((detail) => `    ${detail}`);
  if (details.length > shown.length) shown.push(`    and ${details.length - shown.length} more`);
  return [`FAILED  ${what}`, ...shown].join('\n');
}

export function jsonLine(result: Result): string {
  return JSON.stringify({ ...result, backups: undefined });
}

export const plural = (count: number, noun: string): string => `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;

export const whole = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });

/** With a unit and about three digits. */
export function bytes(value: number): string {
  if (value < 10_000) return `${whole(value)} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let scaled = value / 1000;
  let unit = 0;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${scaled.toFixed(scaled < 100 ? 1 : 0)} ${units[unit]}`;
}
