/** The lock of a session in Redis: the transitions of `lock-row.ts`, in Lua. */
export const LOCK: string = String.raw`
local function hint(kind, member, token, key)
  redis.call('PUBLISH', string.match(KEYS[1], '^[^{]*') .. '@' .. member, kind .. whole(token) .. ' ' .. idOf(key))
end

-- a recall may take this long before a lapsed lease is taken
local function takeableAt(o) return math.max(o[4], (o[5] or now) + math.min(250, o[3] / 4)) end

local function placeOf(h, member)
  for _, waiter in ipairs(h.q) do if waiter[1] == member then return waiter end end
end

local function retryMs(h, leaseMs, wait)
  local takeable = h.h and math.max(0, takeableAt(h.h) - now) or 0
  return wait and math.min(takeable, leaseMs / 2) or takeable
end

-- who is granted a lock that others want learns so: it counts as recalled
local function grant(h, member, ticket, leaseMs)
  h.t = h.t + 1
  h.h = { member, ticket, leaseMs, now + leaseMs, #h.q > 0 and now or nil }
end

-- to the first who waits; the one that asked needs no hint
local function grantNext(key, h, asking)
  local waiter = table.remove(h.q, 1)
  if not waiter then return end
  grant(h, waiter[1], waiter[2], waiter[3])
  if waiter[1] ~= asking then hint('g', waiter[1], h.t, key) end
end

local function release(key, h)
  h.h = nil
  h.t = h.t + 1
  grantNext(key, h)
end

-- the holder asks: for its grant once more, or for a new one
local function confirm(h, member, ticket, leaseMs)
  local o = h.h
  local leftMs = o[4] - now
  if ticket == o[2] and leftMs > 0 then
    if leftMs > o[3] / 2 then return true, false end
    o[4] = now + o[3]
    return true, true
  end
  grant(h, member, ticket, leaseMs)
  if h.h[5] then h.h[5] = o[5] or now end
  return true, true
end

local function contend(key, h, member, ticket, leaseMs, wait)
  if h.h and now >= takeableAt(h.h) then h.h = nil end
  local free = not h.h
  local place = placeOf(h, member)
  -- who only tries gets no place: it takes a free lock that nobody waits for
  if place and (wait or free) then place[2], place[3], place[4] = ticket, leaseMs, now + leaseMs
  elseif wait or free and #h.q == 0 then h.q[#h.q + 1] = { member, ticket, leaseMs, now + leaseMs } end
  if free then grantNext(key, h, member) end
  local o = h.h
  if o[1] == member then return true, true end
  local recalls = wait or now >= o[4]
  if recalls then
    o[5] = o[5] or now
    hint('r', o[1], h.t, key)
  end
  return false, free or recalls, retryMs(h, leaseMs, wait)
end

-- whether it is granted, whether the row has changed, and when to ask again
local function request(key, h, member, ticket, leaseMs, wait)
  local o = h.h
  local holds = o and o[1] == member
  local own = holds and o or placeOf(h, member)
  if own and ticket < own[2] then return false, false, retryMs(h, leaseMs, wait) end
  if not holds or now >= takeableAt(o) and #h.q > 0 then return contend(key, h, member, ticket, leaseMs, wait) end
  return confirm(h, member, ticket, leaseMs)
end

-- ends what the member has or waits for up to its ticket; false: nothing has changed
local function leave(key, h, member, ticket)
  if h.h and h.h[1] == member and h.h[2] <= ticket then
    release(key, h)
    return true
  end
  for i, waiter in ipairs(h.q) do
    if waiter[1] == member and waiter[2] <= ticket then
      table.remove(h.q, i)
      return true
    end
  end
  return false
end
`;
