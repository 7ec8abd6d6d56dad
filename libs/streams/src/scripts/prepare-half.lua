#!lua
-- Stores a half message in its partition, where no group sees it.
--
-- KEYS  1 meta  2 half messages  3 when they are due  4 when they were stored  5, 6 their ends, in alternating windows
-- ARGV  1 id  2 number of partitions from which its own follows  3 until when a look at this partition is promised, Unix ms
--       4 how long until it is checked, ms  5 window of the ends, ms  6 messages in the log and half ones at the most, 0 for any
--       number  7 '1' when the memory of the log is bounded  8 partition that it comes from, or '-'  9 when it was stored, Unix
--       ms, or '' for now  10 checks that were answered  11 terms in JSON  12 envelope
-- returns '+' when it is stored, '=' when it was there; or, with nothing stored, 'ENDED <end>', 'UNDECLARED' when the partition
-- is
--         not there, 'MOVED' when the topic has another number of partitions, 'LATE' when no look at it is promised any more,
--         'FULL <messages>' when there is no room: so many there must be room for, those that are half included
--
-- Guarantees: a half message is stored once, however often; it is stored only while somebody will look after it.
--!include include/entry-id.lua
--!include include/stored-offset.lua
--!include include/idempotency-windows.lua
--!include include/half-messages.lua

local meta, halves, due, ages, ends = KEYS[1], KEYS[2], KEYS[3], KEYS[4], { KEYS[5], KEYS[6] }
local id, maxMessages = ARGV[1], tonumber(ARGV[6])
local now = halfNow()

if redis.call('HEXISTS', halves, id) == 1 then
  -- A write, so that a wait for replicas covers the first one.
  redis.call('HSET', halves, id, redis.call('HGET', halves, id))
  return '='
end
local ended = endOf(ends, id, now, tonumber(ARGV[5]))
if ended then return 'ENDED ' .. ended end
local state = redis.call('HMGET', meta, 'next', 'format', 'partitions', 'first', 'full')
local next = state[2] == FORMAT and offsetOf(state[1])
if not next then return 'UNDECLARED' end
if state[3] and state[3] ~= ARGV[2] then return 'MOVED' end
if now > tonumber(ARGV[3]) then return 'LATE' end

local wanted = redis.call('HLEN', halves) + 1
if ARGV[7] == '1' and state[5] then return 'FULL ' .. wanted end
if maxMessages > 0 and next - (tonumber(state[4] or nil) or 0) + wanted > maxMessages then return 'FULL ' .. wanted end

local at = ARGV[9] == '' and string.format('%.0f', now) or ARGV[9]
keepRecord(halves, id, { at = at, checks = ARGV[10], takes = 0, from = ARGV[8], terms = ARGV[11], envelope = ARGV[12] })
redis.call('ZADD', ages, at, id)
redis.call('ZADD', due, now + ARGV[4], id)
return '+'
