#!lua flags=allow-oom
-- Moves messages whose time has come from the queue of waiting retries into the group's retry log.
--
-- KEYS  1 due  2 retry log
-- ARGV  1 how many at the most
-- returns { how many were moved, milliseconds until the next is due or -1 when none waits }, or 'UNDECLARED' when the
--         retry log is gone (nothing was moved)
--
-- Guarantees: a message is in one of the two at any time.
local due, retryLog = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local bodies = redis.call('ZRANGE', due, '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, body in ipairs(bodies) do
  if not redis.call('XADD', retryLog, 'NOMKSTREAM', '*', 'r', body) then return 'UNDECLARED' end
  redis.call('ZREM', due, body)
end
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
return { #bodies, first[2] and math.max(0, tonumber(first[2]) - now) or -1 }
