// Opens one folder after another, and prints as JSON what became of each: code, outcome and text of its failure, or
// null. argv: folders
import { SqliteStore } from 'holdfast/sqlite';

async function attempt(dir) {
  try {
    await (await SqliteStore.open({ dir })).close();
    return null;
  } catch (error) {
    return { name: error.name, code: error.code, outcome: error.outcome, message: error.message };
  }
}

const came = [];
for (const dir of process.argv.slice(2)) came.push(await attempt(dir));
console.log(JSON.stringify(came));
