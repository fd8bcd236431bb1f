// Holds SQLite's lock on writing to the database argv[2], as a process does that was stopped in the middle of a commit.
// Prints 'held'; gives it back when its input ends.
import { DatabaseSync } from '@photostructure/sqlite';

const database = new DatabaseSync(process.argv[2]);
database.exec('BEGIN IMMEDIATE');
console.log('held');
process.stdin.on('end', () => database.close()).resume();
