// Kills, stops, damage and full disks, through the public interface and in other processes: prints a line of JSON for
// each storm, and exits 1 when something was lost, doubled, wrong, unseen, hung or crashed. The environment's
// HOLDFAST_SQLITE says by which SQLite. usage: node test/store/faults/main.mjs [--kills N] [--race SECONDS] [--stops N]
//   [--exits N] [--terminations N] [--cuts N] [--flips N] [--harms N] [--full-disks N]
import { parseArgs } from 'node:util';
import { cuts, flips, fullDisks, harms } from './damage.mjs';
import { exits, kills, race, stops, terminations } from './processes.mjs';

const STORMS = { kills, race, stops, exits, terminations, cuts, flips, harms, 'full-disks': fullDisks };
const BAD = ['lost', 'doubled', 'wrong', 'unseen', 'hung', 'crashed'];

const { values } = parseArgs({
  options: Object.fromEntries(Object.keys(STORMS).map((name) => [name, { type: 'string' }])),
});
let bad = false;
for (const [name, run] of Object.entries(STORMS)) {
  if (values[name] === undefined) continue;
  const report = await run(Number(values[name]));
  bad ||= BAD.some((count) => report[count] > 0);
  console.log(JSON.stringify({ driver: process.env.HOLDFAST_SQLITE || 'the usual', ...report }));
}
process.exit(bad ? 1 : 0);
