#!lua flags=allow-oom
-- Takes half messages that are due for a check, for the process that calls.
--
-- KEYS  1 half messages  2 when they are due  3 when they were stored
-- ARGV  1 how many at the most  2 how long they are taken for, ms
-- returns { ms until the next one is due, or -1 when none is, then for each that was taken: id, record }
--
-- Guarantees: nobody else takes them while they are taken, and somebody does when their taker does not answer by then; the number
-- of times taken, which grows, tells takers apart.
--!include include/idempotency-windows.lua
--!include include/half-messages.lua

local halves, due, ages = KEYS[1], KEYS[2], KEYS[3]
local MOST_BYTES = 262144
local now, bytes = halfNow(), 0
local reply = { -1 }

for _, id in ipairs(redis.call('ZRANGE', due, '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local record = recordOf(halves, id)
  if not record then
    redis.call('ZREM', due, id)
    redis.call('ZREM', ages, id)
    redis.call('HDEL', halves, id)
  else
    if bytes > 0 and bytes + #record.envelope > MOST_BYTES then break end
    bytes = bytes + #record.envelope
    record.takes = record.takes + 1
    local text = keepRecord(halves, id, record)
    redis.call('ZADD', due, now + ARGV[2], id)
    reply[#reply + 1] = id
    reply[#reply + 1] = text
  end
end
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
local at = tonumber(first[2] or nil)
if at and at < math.huge then reply[1] = math.max(0, math.ceil(at - now)) end
return reply
