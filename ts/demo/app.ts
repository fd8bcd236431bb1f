// One of several app servers: plain node:http, its users' sessions kept by Holdfast. Any server serves any user.
//   node app.js PRIMARY BACKUP [HISTORY_DIR]      two addresses of openStore; where to write down what is asked of them
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { systemClock } from '../clock.ts';
import { historyFile } from '../history/judge.ts';
import { markFile } from '../history/mark-file.ts';
import { Recorder } from '../history/record.ts';
import { HoldfastError, SessionRepository, openStore } from '../index.ts';
import type { Store } from '../index.ts';
import { firstState, shop } from './shop.ts';
import type { Answer, Profile, Shop } from './shop.ts';

const [primaryUrl = './primary', backupUrl = './backup', historyDir] = process.argv.slice(2);
const recorder = historyDir === undefined ? undefined : recorderIn(historyDir);
const primary = await open(primaryUrl, 'primary');
const backup = await open(backupUrl, 'backup');
const sessions = new SessionRepository({
  store: primary,
  backups: [{ store: backup }],
  definition: shop,
  lock: { leaseMs: 1000 },
});

let handOvers = 0;
sessions.observe((event) => {
  if (event.type === 'grant' && event.handOver) handOvers += 1;
});

/** By process: one that is started again writes another history. */
function recorderIn(dir: string): Recorder {
  const who = `server-${process.pid}`;
  return new Recorder({ who, clock: systemClock, sink: markFile(historyFile(dir, who)).sink });
}

async function open(url: string, role: 'primary' | 'backup'): Promise<Store> {
  const store = await openStore(url);
  return recorder?.store(store, role, role) ?? store;
}

/** What a client asks for; `request` names it, so that it may be sent again when its outcome is unknown. */
interface Change {
  readonly request: string;
  readonly article?: string;
  readonly profile?: Partial<Profile>;
}

/** Opens the user's session under its lock, changes it unless that was done before, and sends what changed. */
async function change(user: string, wanted: Change): Promise<object> {
  const session = await sessions.open(user, { create: firstState(user) });
  try {
    const answer = { ...(session.state.answers[wanted.request] ??= act(session.state, wanted)) };
    const saved = await session.saveAndClose();
    return { ...answer, revision: saved.revision, sentBytes: saved.bytes, wholeBytes: session.byteLength, handOvers };
  } finally {
    await session.close();
  }
}

function act(state: Shop, { request, article, profile }: Change): Answer {
  if (article !== undefined) state.cart[article] = (state.cart[article] ?? 0) + 1;
  if (profile !== undefined && state.profile !== undefined) Object.assign(state.profile, profile);
  state.history.push({ request, what: article ?? JSON.stringify(profile) });
  return { articles: articlesIn(state) };
}

const articlesIn = ({ cart }: Shop): number => Object.values(cart).reduce((sum, count) => sum + count, 0);

/** As last saved, without the lock. */
async function look(user: string): Promise<object> {
  const state = await sessions.read(user);
  if (state === undefined) throw new HttpError(404, `there is no user '${user}'`);
  return { articles: articlesIn(state), visits: state.history.length };
}

class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** 503: nothing is wrong with the request, send it again. */
function statusOf(error: unknown): number {
  if (error instanceof HttpError) return error.status;
  if (error instanceof SyntaxError || error instanceof URIError) return 400;
  if (
    error instanceof HoldfastError &&
    ['ERR_CONFLICT', 'ERR_FENCED', 'ERR_LOCK_TIMEOUT', 'ERR_UNAVAILABLE', 'ERR_CLOSED'].includes(error.code)
  )
    return 503;
  if (error instanceof HoldfastError && error.code === 'ERR_NOT_FOUND') return 404;
  return 500;
}

/** `GET /USER`, `POST /USER` with a change as JSON. */
async function handle(request: IncomingMessage): Promise<object> {
  const user = decodeURIComponent(request.url?.slice(1) ?? '');
  if (request.method === 'GET') return look(user);
  if (request.method === 'POST') return change(user, await bodyOf(request));
  throw new HttpError(405, `${request.method} is not served`);
}

async function bodyOf(request: IncomingMessage): Promise<Change> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = JSON.parse(Buffer.concat(chunks).toString()) as Partial<Change>;
  if (typeof body.request !== 'string') throw new HttpError(400, 'a change needs a request id');
  return { ...body, request: body.request };
}

const server = createServer((request, response) => {
  const answer = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  handle(request).then(
    (body) => answer(200, body),
    (error: unknown) => answer(statusOf(error), { error: error instanceof Error ? error.message : String(error) }),
  );
});

async function stop(): Promise<void> {
  server.close();
  server.closeAllConnections();
  await sessions.close();
  await Promise.all([primary.close(), backup.close()]);
  process.exit(0);
}

process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => undefined); // the parent decides
process.on('disconnect', () => process.exit(1)); // nothing acknowledged is lost: the next server takes over

// A server that died may have left a save that the backup has not got.
const users: string[] = [];
for await (const user of sessions.ids()) users.push(user);
await Promise.all(users.map((user) => sessions.backups.catchUp(user)));
server.listen(0, '127.0.0.1', () => process.send?.(server.address()));
