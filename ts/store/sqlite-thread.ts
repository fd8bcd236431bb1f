// The helper thread of one store without the addon. workerData: how to open, and the gate that is shut before its end.
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { passing } from './gate.ts';
import type { Gate } from './gate.ts';
import { SqliteServer } from './sqlite-server.ts';
import type { Opening, Question } from './sqlite-server.ts';

const port = parentPort as MessagePort;
const { opening, gate } = workerData as { readonly opening: Opening; readonly gate: Gate };
const server = new SqliteServer(
  opening,
  (replies) => port.postMessage(replies),
  (run) => passing(gate, run),
);
if (server.isOpen) port.on('message', (question: Question) => server.take(question));
