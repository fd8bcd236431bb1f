// The helper thread of one store without the addon. workerData: how to open.
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { SqliteServer } from './sqlite-server.ts';
import type { Opening, Question } from './sqlite-server.ts';

const port = parentPort as MessagePort;
const server = new SqliteServer(workerData as Opening, (replies) => port.postMessage(replies));
if (server.isOpen) port.on('message', (question: Question) => server.take(question));
