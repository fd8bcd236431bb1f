const OURS = 'holdfast';
/** Closer than this nobody is ahead: rounds of one contender differ by more. */
const EVEN = 0.05;

const rate = (value) => Math.round(value).toLocaleString('en-GB');
/** Of no sample at all there is nothing to say. */
const millisecond = (value) => (Number.isFinite(value) ? value.toFixed(value < 10 ? 2 : 0) : '–');
const whole = (value) => value.toFixed(0);

/** What a load is judged by first, and what else is told of it. `better`: the larger or the smaller figure. */
const columns = {
  append: [
    ['perSecond', '/s', rate, 'larger'],
    ['p50', 'p50 ms', millisecond],
    ['p99', 'p99 ms', millisecond],
    ['slowest', 'max ms', millisecond],
    ['cpuMicroseconds', 'CPU µs', whole, 'smaller'],
  ],
  beside: [
    ['slowest', 'max ms', millisecond, 'smaller'],
    ['p99', 'p99 ms', millisecond],
    ['p50', 'p50 ms', millisecond],
    ['perSecond', '/s', rate],
  ],
  read: [
    ['perSecond', '/s', rate, 'larger'],
    ['p50', 'p50 ms', millisecond],
    ['p99', 'p99 ms', millisecond],
    ['cpuMicroseconds', 'CPU µs', whole],
  ],
  'hand-over': [
    ['p50', 'p50 ms', millisecond, 'smaller'],
    ['p99', 'p99 ms', millisecond, 'smaller'],
    ['count', 'times', rate],
  ],
  slow: [
    ['loopP99', 'loop p99 ms', millisecond, 'smaller'],
    ['loopMax', 'loop max ms', millisecond],
    ['perSecond', '/s', rate],
    ['p99', 'p99 ms', millisecond],
  ],
  room: [['bytesEach', 'B a record', whole, 'smaller']],
};
const columnsOf = (load) => columns[load.split(' ')[0]];

export function report(result) {
  return [head(result), ...Object.keys(result.loads).map((load) => section(result, load)), analysis(result)].join(
    '\n\n',
  );
}

function head({ machine, rounds, milliseconds, records, versions, missing, flushes }) {
  const lines = [
    `${machine.date}Z, ${machine.processor}, ${machine.system}, Node ${machine.node}, load ${machine.load.toFixed(1)} when it began`,
    `the disk itself, 4 KB written and flushed: p50 ${millisecond(median(flushes.map(({ p50 }) => p50)))} ms, p99 ${millisecond(median(flushes.map(({ p99 }) => p99)))} ms`,
    `medians of ${rounds} interleaved rounds of ${milliseconds / 1000} s; processes × in flight; ×: Holdfast against it, median of the rounds' ratios, above 1: Holdfast is better`,
    `a record of 40 to 300 bytes (mean 170) and a row of head; flushed when its promise settles; room: ${rate(records)} records, closed`,
    'Holdfast alone keeps locks with tokens, checksums of its own, the mark of what was acknowledged, and looks that its files are still there',
    'loop: delay of a timer of 1 ms, so that 1 is none at all; slow disk: a neighbour writes and flushes 16 MB over and over',
    ...Object.entries(versions).map(([name, version]) => `${name}: ${version}`),
    ...Object.entries(missing).map(([name, reason]) => `${name}: left out: ${reason}`),
  ];
  if (!machine.isFlushed)
    lines.push(
      'THE FOLDER IS IN MEMORY: nothing is flushed, and no figure says anything of a disk; name another by --dir',
    );
  return lines.join('\n');
}

function section({ loads }, load) {
  const shown = columnsOf(load);
  const rows = Object.entries(loads[load]).map(([name, rounds]) => [
    name,
    ...shown.flatMap((column) => cells(column, loads[load][OURS], rounds, name)),
  ]);
  const titles = [load, ...shown.flatMap(([, title, , better]) => (better === undefined ? [title] : [title, '×']))];
  return align([titles, ...rows]);
}

function cells([key, , format, better], ours, rounds, name) {
  const text = format(median(rounds.map((round) => round[key])));
  if (better === undefined) return [text];
  const against = ratio(ours, rounds, key, better);
  return [text, name === OURS || against === undefined ? '' : against.toFixed(2)];
}

/** Above 1: ours is better. Each round's own. */
function ratio(ours, theirs, key, better) {
  if (ours === undefined) return undefined;
  return median(
    theirs.map((round, n) => (better === 'larger' ? ours[n][key] / round[key] : round[key] / ours[n][key])),
  );
}

function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Where Holdfast is ahead, even or behind, by what each load is judged by first. */
function analysis({ loads, versions }) {
  const others = Object.keys(versions).filter((name) => name !== OURS);
  if (versions[OURS] === undefined || others.length === 0) return 'analysis: nothing to compare.';
  const behind = [];
  const counts = { ahead: 0, even: 0, behind: 0 };
  for (const [load, rounds] of Object.entries(loads)) {
    const [[key, , , better]] = columnsOf(load);
    for (const name of others) {
      const against = ratio(rounds[OURS], rounds[name], key, better);
      const place = against > 1 + EVEN ? 'ahead' : against < 1 - EVEN ? 'behind' : 'even';
      counts[place] += 1;
      if (place === 'behind') behind.push(`${load} ${name} (${against.toFixed(2)})`);
    }
  }
  return `analysis: Holdfast is ahead in ${counts.ahead} comparisons, even in ${counts.even} (within ${EVEN * 100} %), behind in ${counts.behind}${behind.length > 0 ? `: ${behind.join(', ')}` : ''}.`;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
