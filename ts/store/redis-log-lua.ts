/** What reads and writes the log of a session in Redis: the transitions of `writes.ts` and `reads.ts`, in Lua. */

/**
 * Header of what it does (kind, lock and begins), the lengths of revision and token, revision, nonce, parent's nonce and
 * token, then the record; options as JSON.
 */
export const APPEND: string = String.raw`
local key = KEYS[2]
local does, lengths = string.byte(ARGV[1], 1, 2)
local function choose(of, unit) return string.sub(of, math.floor(does / unit) % 3 + 1, math.floor(does / unit) % 3 + 1) end
local kind, lock, begins = choose('sde', 9), choose('nkr', 3), choose('-yn', 1)
local form = '>I' .. math.floor(lengths / 8) .. 'I6I6I' .. lengths % 8
local revision, nonce, parent, token, at = struct.unpack(form, ARGV[1], 3)
local bytes = string.sub(ARGV[1], at)
local more = ARGV[2] and cjson.decode(ARGV[2]) or {}

local known, fault = load(key)
if fault then return damaged(fault) end
if has(key, known, revision, nonce) then return { 'a', known.t, wanted(known) } end
local h = known or fresh()

-- the lock was given, but the parent does not fit: where there is nothing to rebase on, it goes back
local function refuseGranted(changed)
  local keeps = isLive(h)
  if not keeps then release(key, h) end
  if known and (changed or not keeps) then use(key, h) end
  local answer = { 'c', known and h.t or birth, tail(key, known, revision - 1, parent, math.huge) }
  if keeps then answer[4], answer[5] = double(h.h[4] - now), wanted(h) end
  return answer
end

local changed = false
if more.q then
  local granted, retry
  granted, changed, retry = request(key, h, more.q[1], more.q[2], more.q[3], more.q[4] == 1)
  if not granted then
    if changed then use(key, h) end
    return { 'l', double(retry) }
  end
  token = h.t
end

local fits = h.r == revision - 1 and h.n == parent
if fits and h.r > 0 then
  local is = state(h)
  fits = is == 'l' or is == 'x' and kind == 's' and begins ~= 'n'
end
if token < h.t then return { 'f', h.t, tail(key, known, revision - 1, parent, math.huge) } end
if not fits and more.q then return refuseGranted(changed) end
if not fits then return { 'c', h.t, tail(key, known, revision - 1, parent, math.huge) } end

-- the owner's delta: one push, and nothing else
local plain = kind == 'd' and not ARGV[2] and token == h.t and not h.x and not handedBack
if plain and not (h.h and (lock == 'k' or lock == 'r' and #h.q > 0)) then
  redis.call('RPUSH', key, struct.pack(ENTRY, nonce, now, h.D + #bytes, lock) .. bytes)
  h.u = now
  if h.i or h.a then keep(key, h) end
  return wanted(h)
end

local oldest = h.f
if begins == 'y' or h.r == 0 or state(h) == 'x' then
  h.f, h.c, h.i, h.a, h.T = revision, more.c or now, nil, nil, nil
end
if kind == 'd' then h.D = h.D + #bytes else h.s, h.S, h.D = revision, #bytes, 0 end
h.r, h.n, h.u, h.x = revision, nonce, now, nil
h.e = kind == 'e' or nil
if more.x then h.i, h.a = more.x.i, more.x.a end
if more.T then h.T = #more.T > 0 and more.T or nil end
h.f = math.max(h.f, math.min(more.f or kind == 'd' and h.f or revision, h.s))
if token > h.t then h.t, h.h = token, nil end
if kind == 'e' then release(key, h)
elseif h.h and h.t == token and lock == 'r' then release(key, h)
elseif h.h and h.t == token and lock == 'n' then h.h[4] = now + h.h[3] end

local head, entry = cmsgpack.pack(h), struct.pack(ENTRY, nonce, now, h.D, 'k') .. bytes
if not known then
  redis.call('RPUSH', key, head, entry)
  redis.call('ZADD', KEYS[3], 0, idOf(key))
else
  redis.call('RPUSH', key, entry)
  if h.f > oldest then
    redis.call('LTRIM', key, h.f - oldest + 1, -1) -- keeps the key's time to live, which DEL would not
    redis.call('LPUSH', key, head)
  else redis.call('LSET', key, 0, head) end
end
keep(key, h)
if more.q then return { 'a', token, wanted(h) } end
return wanted(h)
`;

/** Since, limit and kept. */
export const READ: string = String.raw`
local revision, nonce, limit, kept = struct.unpack('>I6I6dc1', ARGV[1])
local h, fault = load(KEYS[2])
if fault then return damaged(fault) end
return tail(KEYS[2], h, revision, nonce, limit, kept == 'y')
`;

/** The image as JSON, then each of its records behind its nonce. */
export const REPLACE: string = String.raw`
local key, image = KEYS[2], cjson.decode(ARGV[1])
local count = #ARGV - 1
local h, fault = load(key)
if fault and image.p then return damaged(fault) end
-- the token of a damaged row cannot be read: nobody has been granted this many since its copy was made
local token = fault and image.t + 1048576 or h and h.t or birth
local last = image.f + count - 1
local nonce = struct.unpack('>I6', ARGV[#ARGV])
if math.floor(image.t / COUNTS) * COUNTS < floor then return { 'f', token, tail(key, h, last, nonce, 0) } end
if image.p and ((h and h.r or 0) ~= image.p[1] or (h and h.n or 0) ~= image.p[2]) then
  if h and h.r == last and h.n == nonce then return { 'a', token, wanted(h) } end
  return { 'c', token, tail(key, h, last, nonce, 0) }
end
local new = fresh()
new.t, new.r, new.n, new.f, new.c, new.u = math.max(token, image.t) + 1, last, nonce, image.f, image.c, now
new.i, new.a, new.T = image.x.i, image.x.a, image.T
for i = 1, count do
  local kind, record = string.sub(image.k, i, i), ARGV[i + 1]
  if kind == 'd' then new.D = new.D + #record - 6 else new.s, new.S, new.D = image.f + i - 1, #record - 6, 0 end
  ARGV[i + 1] = string.sub(record, 1, 6) .. struct.pack('>I6I4c1', now, new.D, 'k') .. string.sub(record, 7)
end
new.e = string.sub(image.k, -1) == 'e' or nil
redis.call('DEL', key)
elements = 0
save(key, new)
for i = 2, #ARGV, 1000 do redis.call('RPUSH', key, unpack(ARGV, i, math.min(i + 999, #ARGV))) end -- unpack has a limit
if h and h.h then hint('r', h.h[1], h.t, key) end
return { 'a', new.t, 0 }
`;
