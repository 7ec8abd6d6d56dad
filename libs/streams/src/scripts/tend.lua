#!lua flags=allow-oom
-- Does for a group in one partition what is due, and tells who holds what.
--
-- KEYS  1 log  2 retry log  3 due  4 stats
-- ARGV  1 group  2 how many retries to move at the most
-- returns { retries moved, ms until the next is due or -1 when none waits, then for each member that Redis knows of: name,
--         entries that it holds of the log, and of the retry log }; 'UNDECLARED' when the group is gone from one of the two
--
-- Guarantees: a retry is in the queue or in the retry log at any time; the time of this call is when the group had a member.
local log, retryLog, due, stats, group = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local held, names = {}, {}
for i, stream in ipairs({ log, retryLog }) do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
  if consumers.err then return 'UNDECLARED' end
  for _, consumer in ipairs(consumers) do
    local name = consumer[2]
    if not held[name] then
      held[name] = { 0, 0 }
      names[#names + 1] = name
    end
    held[name][i] = consumer[4]
  end
end
redis.call('HSET', stats, 'seen', now)

local bodies = redis.call('ZRANGE', due, '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, body in ipairs(bodies) do
  redis.call('XADD', retryLog, '*', 'r', body)
  redis.call('ZREM', due, body)
end
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')

local reply = { #bodies, first[2] and math.max(0, tonumber(first[2]) - now) or -1 }
for _, name in ipairs(names) do
  reply[#reply + 1] = name
  reply[#reply + 1] = held[name][1]
  reply[#reply + 1] = held[name][2]
end
return reply
