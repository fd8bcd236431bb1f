import { createHash } from 'node:crypto';
import { LOCK } from './redis-lock-lua.ts';
import { APPEND, READ, REPLACE } from './redis-log-lua.ts';
import { SESSION } from './redis-session-lua.ts';
import { INSPECT, LIVING, LOCK_CALL, OPEN, PROMOTE, RAISE, SERVER, SWEEP, TOUCH, UNLOCK } from './redis-use-lua.ts';

/** A call as one script: sent by its digest, whole where the server does not know it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** One clock for all, asked once a call, for it goes on within a script. */
const SERVERS_TIME = String.raw`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
`;
/** Of a test: the last argument. */
const CALLERS_TIME = String.raw`
local now = tonumber(table.remove(ARGV))
`;

export type ScriptName =
  | 'append'
  | 'read'
  | 'replace'
  | 'lock'
  | 'unlock'
  | 'touch'
  | 'inspect'
  | 'living'
  | 'sweep'
  | 'raise'
  | 'open'
  | 'server'
  | 'promote';

const OF_SESSIONS: Readonly<Partial<Record<ScriptName, string>>> = {
  append: LOCK + APPEND,
  read: READ,
  replace: LOCK + REPLACE,
  lock: LOCK + LOCK_CALL,
  unlock: LOCK + UNLOCK,
  touch: TOUCH,
  inspect: INSPECT,
  living: LIVING,
  sweep: SWEEP,
};
const OF_ALL: Readonly<Partial<Record<ScriptName, string>>> = {
  raise: RAISE,
  open: OPEN,
  server: SERVER,
  promote: PROMOTE,
};

export type Scripts = Readonly<Record<ScriptName, Script>>;

/** `callersTime`: the time comes with each call on sessions. */
export function scriptsOf(callersTime: boolean): Scripts {
  const begin = (callersTime ? CALLERS_TIME : SERVERS_TIME) + SESSION;
  const sources = [
    ...Object.entries(OF_SESSIONS).map(([name, body]) => [name, begin + body]),
    ...Object.entries(OF_ALL),
  ];
  return Object.fromEntries(
    sources.map(([name, source]) => [
      name,
      {
        source,
        sha: createHash('sha1')
          .update(source as string)
          .digest('hex'),
      },
    ]),
  ) as unknown as Scripts;
}
