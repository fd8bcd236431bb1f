// The helper thread of one store without the addon. workerData: how to open, the gate that is shut before its end, and
// what was begun.
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { count } from './begun.ts';
import type { Begun } from './begun.ts';
import { passing } from './gate.ts';
import type { Gate } from './gate.ts';
import { SqliteServer } from './sqlite-server.ts';
import type { Opening, Question } from './sqlite-server.ts';

const port = parentPort as MessagePort;
const { opening, gate, begun } = workerData as {
  readonly opening: Opening;
  readonly gate: Gate;
  readonly begun: Begun;
};
const server = new SqliteServer(
  opening,
  (replies) => port.postMessage(replies),
  (run) => passing(gate, run),
  (ticket, change) => count(begun, ticket, change),
);
if (server.isOpen) port.on('message', (question: Question) => server.take(question));
