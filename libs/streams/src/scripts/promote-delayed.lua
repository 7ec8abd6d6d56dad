#!lua flags=allow-oom
-- Moves delayed messages that are due into the logs of their partitions.
--
-- KEYS  for each partition: delayed, log, meta
-- ARGV  1 how many at the most, of each  2 messages in a log at the most, 0 for any number  3 '1' when its memory is bounded
-- returns for each { how many were moved, milliseconds until the next is due or -1 when none waits }, or 'UNDECLARED' when the
--         partition is not there (nothing was moved), or { 'FULL', how many are due } when the log has no room for one;
--         or 'FAILED <why>' when its turn failed
--
-- Guarantees: a message is delayed or in the log at any time; it gets the next offset, so that offsets stay dense; messages that
-- are due at one moment keep the order of their publishes; a partition that fails does not stop the others.
--!include include/try-partition.lua
--!include include/entry-id.lua
--!include include/id-order.lua
--!include include/last-id.lua
--!include include/stored-offset.lua
--!include include/add-entry.lua
--!include include/ring.lua

-- A member is the number of its publish, in 16 digits, a space, and the envelope.
local ENVELOPE, FIELDS = 18, 3
local most, maxMessages, hasMaxBytes = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Milliseconds until the first is due; -1 where there is none.
local function dueIn(delayed)
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  return first[2] and math.max(0, tonumber(first[2]) - now) or -1
end

local function promote(delayed, log, meta)
  local ms = dueIn(delayed)
  if ms ~= 0 then return { 0, ms } end
  local members = redis.call('ZRANGE', delayed, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  local state = redis.call('HMGET', meta, 'next', 'first', 'full', 'ms', 'format')
  local next, first = state[5] == FORMAT and offsetOf(state[1]), tonumber(state[2] or nil) or 0
  if not next or redis.call('EXISTS', log) == 0 then return 'UNDECLARED' end
  local room = maxMessages > 0 and maxMessages - (next - first) or most
  if room < 1 or (hasMaxBytes and state[3]) then return { 'FULL', #members } end
  for i = room + 1, #members do members[i] = nil end
  ms = msFrom(now, state[4])
  for _, member in ipairs(members) do
    ms = addEntry(log, ms, { base = next, size = 1, text = textOf({ string.sub(member, ENVELOPE) }) })
    next = next + 1
    redis.call('HSET', meta, 'next', next, 'ms', ms)
    redis.call('ZREM', delayed, member)
  end
  ring(log, 'log ' .. ms .. '-' .. next)
  return { #members, dueIn(delayed) }
end

local replies = {}
for i = 1, #KEYS, FIELDS do replies[#replies + 1] = tryPartition(promote, KEYS[i], KEYS[i + 1], KEYS[i + 2]) end
return replies
