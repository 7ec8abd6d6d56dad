#!lua flags=no-writes
-- Looks at a group in one partition, at one moment.
--
-- KEYS  1 meta  2 groups  3 stats  4 due  5 log  6 retry log
-- ARGV  1 group, then the names of the counters wanted
-- returns { next offset, offset at which the group started or false, pending, retrying, counter, ... }; a partition whose
--         count was lost has as its next offset what the group has settled
local group = ARGV[1]

local function pending(stream)
  local reply = redis.pcall('XPENDING', stream, group)
  if not reply.err then return reply[1] end
end

local inLog, inRetryLog = pending(KEYS[5]), pending(KEYS[6])
-- A group that is being made again has nothing pending; one whose start was lost started at the first offset, as all do.
-- False, not nil, for a group that never was: nil would cut the reply short.
local start = redis.call('HGET', KEYS[2], group) or (inLog and '0') or false
local reply = { false, start, (inLog or 0) + (inRetryLog or 0), redis.call('ZCARD', KEYS[4]) }
for i, value in ipairs(redis.call('HMGET', KEYS[3], unpack(ARGV, 2))) do reply[4 + i] = tonumber(value or 0) end
reply[1] = tonumber(redis.call('HGET', KEYS[1], 'next') or (start or 0) + (redis.call('HGET', KEYS[3], 'settled') or 0))
return reply
