import type { Result } from './result.ts';

/** As many failures of one trace are shown. */
const FAILURES_SHOWN = 5;

interface Column {
  readonly title: string;
  readonly width: number;
  readonly text: (result: Result) => string;
}

const columns: readonly Column[] = [
  { title: 'trace', width: -18, text: ({ trace }) => trace },
  { title: 'sessions', width: 8, text: ({ sessions }) => whole(sessions) },
  { title: 'steps', width: 8, text: ({ steps }) => whole(steps) },
  { title: 'whole states', width: 12, text: ({ fullBytes }) => bytes(fullBytes) },
  { title: 'sent', width: 9, text: ({ sentBytes }) => bytes(sentBytes) },
  { title: 'ratio', width: 7, text: ({ fullBytes, sentBytes }) => (sentBytes > 0 ? `1:${(fullBytes / sentBytes).toFixed(1)}` : '-') },
  { title: 'deltas', width: 9, text: ({ deltaBytes }) => bytes(deltaBytes) },
  { title: 'median', width: 8, text: ({ deltaMedian }) => bytes(deltaMedian) },
  { title: 'p99', width: 8, text: ({ deltaP99 }) => bytes(deltaP99) },
  { title: 'snapshots', width: 9, text: ({ snapshotBytes }) => bytes(snapshotBytes) },
  { title: 'each backup', width: 11, text: ({ backupBytes }) => [...new Set(backupBytes.map(bytes))].join(', ') || '-' },
  { title: 'step p50', width: 9, text: ({ stepP50Us }) => `${whole(stepP50Us)} µs` },
  { title: 'p99', width: 10, text: ({ stepP99Us }) => `${whole(stepP99Us)} µs` },
  { title: 'hand-overs', width: 10, text: ({ handovers }) => whole(handovers) },
  { title: 'engine', width: -6, text: ({ engine }) => engine },
];

const line = (cell: (column: Column) => string): string =>
  columns
    .map((column) => (column.width < 0 ? cell(column).padEnd(-column.width) : cell(column).padStart(column.width)))
    .join('  ')
    .trimEnd();

export const tableHead = (): string => line(({ title }) => title);
export const tableRow = (result: Result): string => line(({ text }) => text(result));

/** One line if all is well; else also what is not. */
export function verdict(result: Result): string {
  const { ok, trace, sessions, backups, seconds, failures } = result;
  const places = `the primary${backups === 0 ? '' : backups === 1 ? ' and its backup' : ` and its ${backups} backups`}`;
  if (ok) return `ok  ${trace}: ${whole(sessions)} ${sessions === 1 ? 'session' : 'sessions'} read back from ${places} by a process that took no part; every sha256 holds (${seconds.toFixed(1)} s)`;
  const shown = failures.slice(0, FAILURES_SHOWN).map((failure) => `    ${failure}`);
  if (failures.length > shown.length) shown.push(`    and ${failures.length - shown.length} more`);
  return [`FAILED  ${trace}: ${failures.length} of ${sessions * (1 + backups)} states read back from ${places} are not what they must be`, ...shown].join('\n');
}

export function jsonLine({ backups: _, ...result }: Result): string {
  return JSON.stringify(result);
}

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
