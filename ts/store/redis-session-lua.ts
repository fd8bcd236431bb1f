/**
 * How a session lies in Redis, as the scripts read and write it.
 *
 * A session is one list, so that nothing of it can be lost by half: [0] its head, [i] the record of revision f + i - 1,
 * behind its nonce, its time, the size of all deltas so far and what it made of its writer's lock. Effects are
 * replicated, never the script: a plain delta of the owner is one RPUSH, from which revision, nonce, time of use, size
 * and lease follow; the head is written when something else changes, and may be older than the last records.
 *
 * Head, in MessagePack: v format, r revision, n nonce, t token, f oldest kept, s latest that stands alone, S and D its
 * bytes and those of the deltas after it, c created, u used, i and a idle and age in ms, e ended, T terms, x when a sweep
 * saw it forgotten, h holder {member, ticket, leaseMs, leaseUntil, recalledAt}, q queue of {member, ticket, leaseMs,
 * until}. Revision 0: it was never written, and is here for its lock.
 *
 * Each bucket of sessions has a hash, its marks: e its epoch, b what the tokens of new rows begin at. And a sorted set of
 * the ids of all its rows. All of a bucket is under its hash tag.
 */
export const SESSION: string = String.raw`
local DAY, FAR, COUNTS, FOREVER = 86400000, 10000, 4294967296, 1e15
local ENTRY, ENTRY_BYTES = '>I6I6I4c1', 17
local marks = redis.call('HMGET', KEYS[1], 'e', 'b')
local floor = (tonumber(marks[1]) or 0) * COUNTS
local birth = math.max(floor, tonumber(marks[2]) or 0)
-- of the row that was loaded last: elements of its list, and whether its last record gave the lock back
local elements, handedBack = 0, false

-- tostring rounds above 10^14
local function whole(number) return string.format('%.0f', number) end
local function double(number) return struct.pack('>d', number) end
local function idOf(key) return string.sub(key, #KEYS[1] + 1) end
local function isCount(value) return type(value) == 'number' and value >= 0 end
local function isOptional(value, kind) return value == nil or type(value) == kind end

local function isOwner(o)
  if type(o) ~= 'table' or type(o[1]) ~= 'string' then return false end
  for i = 2, 4 do if not isCount(o[i]) then return false end end
  return isOptional(o[5], 'number')
end

-- what of a head is not as it should be
local function faultOf(h)
  if type(h) ~= 'table' then return 'head' end
  if h.v ~= 1 then return 'format ' .. tostring(h.v) .. ' where 1 is read' end
  for _, name in ipairs({ 'r', 'n', 't', 'f', 's', 'S', 'D' }) do if not isCount(h[name]) then return 'head, ' .. name end end
  if h.r > 0 and (h.f < 1 or h.f > h.s or h.s > h.r) then return 'head, first' end
  if type(h.c) ~= 'number' or type(h.u) ~= 'number' or not isOptional(h.x, 'number') then return 'head, times' end
  if not isOptional(h.i, 'number') or not isOptional(h.a, 'number') then return 'head, expiry' end
  if not isOptional(h.T, 'table') then return 'head, terms' end
  if h.h ~= nil and not isOwner(h.h) or type(h.q) ~= 'table' then return 'head, lock' end
  for _, waiter in ipairs(h.q) do if not isOwner(waiter) then return 'head, queue' end end
end

-- what the records that were pushed since make of the head
local function follow(key, h)
  local entry = redis.call('LINDEX', key, -1)
  if #entry < ENTRY_BYTES or h.r == 0 then return 'record ' .. whole(h.f + elements - 2) end
  local lock
  h.n, h.u, h.D, lock = struct.unpack(ENTRY, entry)
  h.r = h.f + elements - 2
  if lock == 'r' and h.h then h.h, h.t, handedBack = nil, h.t + 1, true
  elseif lock == 'n' and h.h then h.h[4] = h.u + h.h[3] end
end

-- no lease is granted for so much longer than was asked for: the clock was set back, and it is over
local function endOf(till, leaseMs)
  if till > now + leaseMs + FAR then return now end
  return math.min(till, now + leaseMs)
end

-- a grant of an older epoch counts no more, nor does a place that was not asked for in time
local function settle(h)
  if h.t < floor then h.t, h.h = floor, nil end
  if h.h then
    h.h[4] = endOf(h.h[4], h.h[3])
    if h.h[5] then h.h[5] = math.min(h.h[5], now) end
  end
  local queue = {}
  for _, waiter in ipairs(h.q) do
    waiter[4] = endOf(waiter[4], waiter[3])
    if waiter[4] > now then queue[#queue + 1] = waiter end
  end
  h.q = queue
end

-- the row as it is now, or none, or what is damaged
local function load(key)
  elements, handedBack = 0, false
  local raw = redis.pcall('LINDEX', key, 0)
  if type(raw) == 'table' then return nil, 'another kind of value is under its key' end
  if not raw then return nil end
  local read, h = pcall(cmsgpack.unpack, raw)
  local fault = not read and 'head' or faultOf(h)
  if fault then return nil, fault end
  elements = redis.call('LLEN', key)
  local revision = h.f + elements - 2
  if h.r > 0 and revision < h.r or h.r == 0 and elements ~= 1 then return nil, 'a record is missing' end
  if revision > h.r and h.r > 0 then fault = follow(key, h) end
  if fault then return nil, fault end
  settle(h)
  return h
end

local function damaged(what) return redis.error_reply('HFCORRUPT ' .. what) end

local function fresh()
  return { v = 1, r = 0, n = 0, t = birth, f = 1, s = 0, S = 0, D = 0, c = 0, u = 0, q = {} }
end

local function left(h)
  return math.min(h.i and h.u + h.i or math.huge, h.a and h.c + h.a or math.huge) - now
end

-- l live, e ended, x expired
local function state(h)
  if left(h) <= 0 then return 'x' end
  return h.e and 'e' or 'l'
end

local function isLive(h) return h ~= nil and h.r > 0 and state(h) == 'l' end

local function isIdle(h) return #h.q == 0 and not (h.h and h.h[4] > now) end

local function wanted(h) return h and #h.q > 0 and 1 or 0 end

-- The key's own time to live is no more than what is left to the server when nobody sweeps any more: half a day beyond
-- any use of the row at least, and set again only when less is left.
local function keep(key, h)
  local needs = h.r > 0 and math.max(0, left(h)) or 0
  if h.h then needs = math.max(needs, h.h[4] - now) end
  for _, waiter in ipairs(h.q) do needs = math.max(needs, waiter[4] - now) end
  local has = redis.call('PTTL', key)
  if needs > FOREVER then
    if has >= 0 then redis.call('PERSIST', key) end
  elseif has < needs + DAY / 2 then redis.call('PEXPIRE', key, whole(needs + math.max(needs, DAY))) end
end

local function save(key, h)
  if elements == 0 then
    redis.call('RPUSH', key, cmsgpack.pack(h))
    redis.call('ZADD', KEYS[3], 0, idOf(key))
  else redis.call('LSET', key, 0, cmsgpack.pack(h)) end
  keep(key, h)
end

-- who writes a row has a use for it: the sweep looks twice again
local function use(key, h)
  h.x = nil
  save(key, h)
end

local function nonceAt(key, h, revision)
  if revision == h.r then return h.n end
  local entry = redis.call('LINDEX', key, revision - h.f + 1)
  return #entry >= ENTRY_BYTES and (struct.unpack('>I6', entry))
end

local function has(key, h, revision, nonce)
  return h ~= nil and revision >= h.f and revision <= h.r and nonceAt(key, h, revision) == nonce
end

local function headOf(h)
  if not h or h.r == 0 then return '' end
  return struct.pack('>c1dI6ddddddddd', state(h), h.r, h.n, h.t, h.f, h.s, h.S, h.D, h.c, left(h), h.i or 0, h.a or 0)
end

-- head, whole, revision and nonce to read on from or 0, terms as JSON, then the records that are lacked
local function tail(key, h, since, nonce, limit, kept)
  local out = { headOf(h), 1, 0, 0, '' }
  if not h or h.r == 0 or state(h) == 'x' then return out end
  local from = kept and h.f or h.s
  if has(key, h, since, nonce) then from, out[2] = since + 1, 0
  elseif h.T and #h.T > 0 then out[5] = cjson.encode(h.T) end
  if limit == 0 then return out end
  local bytes = 0
  for first = from, h.r, 64 do
    for i, entry in ipairs(redis.call('LRANGE', key, first - h.f + 1, math.min(first + 63, h.r) - h.f + 1)) do
      bytes = bytes + #entry - ENTRY_BYTES
      if bytes > limit and #out > 5 then return out end
      out[#out + 1] = string.sub(entry, ENTRY_BYTES + 1)
      if first + i - 1 < h.r then out[3], out[4] = first + i - 1, (struct.unpack('>I6', entry)) else out[3], out[4] = 0, 0 end
    end
  end
  return out
end
`;
