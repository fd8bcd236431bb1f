// Runs the simulation: `node scripts/simulate.mjs --help`.
import { main } from '../dist/simulation/main.js';

process.exitCode = await main(process.argv.slice(2));
