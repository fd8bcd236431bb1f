/** What uses, shows and sweeps sessions in Redis: the transitions of `uses.ts`, in Lua. */

/** Since, limit, kept, existing, wait, ticket and leaseMs, then the member. */
export const LOCK_CALL: string = String.raw`
local key = KEYS[2]
local revision, nonce, limit, kept, existing, wait, ticket, leaseMs, at = struct.unpack('>I6I6dc1c1c1dd', ARGV[1])
local member = string.sub(ARGV[1], at)
local h, fault = load(key)
if fault then return damaged(fault) end
if existing == 'y' and not isLive(h) then
  return { 0, double(0), tail(key, h, revision, nonce, limit, kept == 'y') }
end
h = h or fresh()
local granted, changed, retry = request(key, h, member, ticket, leaseMs, wait == 'y')
if changed then use(key, h) end
if not granted then return { 0, double(retry) } end
return { 1, h.t, double(h.h[4] - now), wanted(h), tail(key, h, revision, nonce, limit, kept == 'y') }
`;

/** A token; or a ticket, then the member. */
export const UNLOCK: string = String.raw`
local key = KEYS[2]
local number, at = struct.unpack('>d', ARGV[1])
local member = string.sub(ARGV[1], at)
local h, fault = load(key)
if fault then return damaged(fault) end
if not h then return 0 end
if member ~= '' then
  if leave(key, h, member, number) then use(key, h) end
elseif h.h and h.t == number then
  release(key, h)
  use(key, h)
end
return 0
`;

/** Token and renew; a new rule as JSON. */
export const TOUCH: string = String.raw`
local key = KEYS[2]
local token, renew = struct.unpack('>dc1', ARGV[1])
local rule = ARGV[2] and cjson.decode(ARGV[2])
renew = renew == 'y'
local h, fault = load(key)
if fault then return damaged(fault) end
local outdated = token < (rule and (h and h.t or birth) or floor)
if outdated or renew and not (h and h.h and h.t == token) then return { 'f', headOf(h), wanted(h) } end
if not h then return { 'g', '', 0 } end
if renew then h.h[4] = now + h.h[3] end
local live = isLive(h)
if live then
  h.u = now
  if rule then h.i, h.a = rule.i, rule.a end
end
if live or renew then use(key, h) end
if live then return { 't', double(left(h)), wanted(h) } end
return { 'g', headOf(h), wanted(h) }
`;

/** Head, holder, then each who waits. */
export const INSPECT: string = String.raw`
local h, fault = load(KEYS[2])
if fault then return damaged(fault) end
if not h then return { '', {} } end
local holder = h.h and { h.h[1], double(h.h[4] - now), h.h[5] and 1 or 0 } or {}
local out = { headOf(h), holder }
for _, waiter in ipairs(h.q) do out[#out + 1] = { waiter[1], double(waiter[4] - now) } end
return out
`;

/** Which of the rows from KEYS[3] on live, and have the term, if one is asked for. A damaged one counts as living. */
export const LIVING: string = String.raw`
local term, out = ARGV[1], {}
for i = 3, #KEYS do
  local h, fault = load(KEYS[i])
  local fits = term == ''
  for _, one in ipairs(not fits and h and h.T or {}) do fits = fits or one == term end
  if fits and (fault or isLive(h)) then out[#out + 1] = i - 3 end
end
return out
`;

/** Looks at the rows from KEYS[3] on; KEYS[2] has their ids. What only the index has goes from there. */
export const SWEEP: string = String.raw`
local graceMs, swept = tonumber(ARGV[1]), 0

local function remove(key)
  redis.call('ZREM', KEYS[2], idOf(key))
end

local function look(key, h)
  if not (isIdle(h) and (h.r == 0 or state(h) == 'x')) then
    if not h.x then return end
    h.x = nil -- it came back without a use: the clock that it had expired by was wrong
  elseif not h.x or h.x > now then h.x = now
  elseif now - h.x >= graceMs then
    -- what is deleted must not begin again
    birth = math.max(birth, h.t + 1)
    redis.call('HSET', KEYS[1], 'b', whole(birth))
    redis.call('DEL', key)
    remove(key)
    swept = swept + 1
    return
  else return end
  save(key, h)
end

for i = 3, #KEYS do
  local h, fault = load(KEYS[i])
  if h then look(KEYS[i], h) elseif not fault then remove(KEYS[i]) end
end
return swept
`;

/** The epoch of a bucket is at least this one from now on. */
export const RAISE: string = String.raw`
if tonumber(ARGV[1]) > (tonumber(redis.call('HGET', KEYS[1], 'e')) or 0) then redis.call('HSET', KEYS[1], 'e', ARGV[1]) end
return 0
`;

/** What holds for all of a prefix: format, how many buckets, and the epoch. */
export const OPEN: string = String.raw`
redis.call('HSETNX', KEYS[1], 'format', ARGV[1])
redis.call('HSETNX', KEYS[1], 'buckets', ARGV[2])
return redis.call('HMGET', KEYS[1], 'format', 'buckets', 'epoch')
`;

/** The next epoch above this one and its own; 0 where there is none below the second. */
export const PROMOTE: string = String.raw`
local above = math.max(tonumber(ARGV[1]), tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0)
if above + 1 >= tonumber(ARGV[2]) then return { 0, above } end
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', above + 1))
return { above + 1, above }
`;

/** Which run of which server has the slot of KEYS[1]. */
export const SERVER: string = String.raw`
return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
`;
