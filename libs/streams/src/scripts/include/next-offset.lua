-- Where the offsets of a log go on. It needs entry-id.lua, last-id.lua and stored-offset.lua.

-- The offset after the last message that the log ever had: the last id holds it, unless it is the id of a foreign entry.
local function nextByLog(log)
  local lastId = redis.call('EXISTS', log) == 1 and lastIdOf(log) or '0-0'
  local base, size = spanOf(lastId)
  local next = lastId ~= '0-0' and base and base + size or 0
  for _, entry in ipairs(redis.call('XREVRANGE', log, '+', '-', 'COUNT', 100)) do
    base, size = spanOf(entry[1], entry[2])
    if base then return math.max(base + size, next) end
    if entry[1] == lastId then next = 0 end
  end
  return next
end

-- The last entry holds it, when its ms is the one that was stored together with `next`: then no entry was added after it.
local function nextByLastEntry(log, ms)
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not newest or string.match(newest[1], '^%d+') ~= ms or newest[1] ~= lastIdOf(log) then return nil end
  local base, size = spanOf(newest[1], newest[2])
  return base and base + size
end

-- `next` of the meta, mended where it is damaged. There must be a log.
local function mendedNext(log, meta)
  local state = redis.call('HMGET', meta, 'next', 'ms')
  local next = offsetOf(state[1])
  local mended = nextByLastEntry(log, state[2]) or next or nextByLog(log)
  if mended ~= next then redis.call('HSET', meta, 'next', mended) end
  return mended
end
