#!lua flags=no-writes
-- Reads the state of a group in one partition, at one moment.
--
-- KEYS  1 meta  2 groups  3 stats  4 due  5 log  6 again  7 open  8 dead letters  9 messages put aside  10 forward log
-- ARGV  1 group, then the names of the counters wanted
-- returns { next offset, offset at which the group started or false, pending, retrying, age of the oldest message that is
--         not done in ms or -1 when there is none, dead letters, messages put aside, forwarded messages on their way, counter, ... }; where the partition's next offset was lost or is
--         damaged, the offset up to which the group has settled
--!include include/delivered-to.lua
--!include include/stored-offset.lua

local group, log = ARGV[1], KEYS[5]

local function pending(stream)
  local reply = redis.pcall('XPENDING', stream, group)
  if not reply.err then return reply[1], reply[2] end
end

local function nextToDeliver()
  local delivered = deliveredTo(log, group)
  local first = delivered and redis.call('XRANGE', log, '(' .. delivered, '+', 'COUNT', 1)[1]
  return first and first[1]
end

local inLog, firstPending = pending(log)
local inAgain = pending(KEYS[6])

-- Offsets grow with time, so the lowest of those that left the log for another attempt is the oldest of them.
local function oldest()
  local waiting = redis.call('ZRANGE', KEYS[7], 0, 0)[1]
  local oldestMs = waiting and tonumber(string.match(waiting, '^%d+ (%d+)'))
  for _, id in ipairs({ firstPending or false, nextToDeliver() or false }) do
    local ms = id and tonumber(string.match(id, '^%d+'))
    if ms and (not oldestMs or ms < oldestMs) then oldestMs = ms end
  end
  return oldestMs
end

local function age()
  local oldestMs = oldest()
  local time = redis.call('TIME')
  return oldestMs and math.max(0, time[1] * 1000 + math.floor(time[2] / 1000) - oldestMs) or -1
end

-- Names of entries end with how many messages and jobs they have.
local function forwarding()
  local sum = 0
  for _, name in ipairs(redis.call('HKEYS', KEYS[10])) do sum = sum + (tonumber(string.match(name, '%d+$') or nil) or 0) end
  return sum
end

-- A group that is being made again has nothing pending; one whose start was lost is taken to have started at the first offset.
-- False, not nil, for a group that never existed: nil would cut the reply short.
local start = redis.call('HGET', KEYS[2], group) or (inLog and '0') or false
local reply = { false, start, (inLog or 0) + (inAgain or 0), redis.call('ZCARD', KEYS[4]), age(), redis.call('XLEN', KEYS[8]), redis.call('ZCARD', KEYS[9]), forwarding() }
for i, value in ipairs(redis.call('HMGET', KEYS[3], unpack(ARGV, 2))) do reply[8 + i] = tonumber(value or 0) end
reply[1] = offsetOf(redis.call('HGET', KEYS[1], 'next')) or tonumber(start or 0) + tonumber(redis.call('HGET', KEYS[3], 'settled') or 0)
return reply
