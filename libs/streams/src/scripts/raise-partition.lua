#!lua flags=allow-oom
-- Holds the publishers of one partition to a higher number of partitions from now on.
--
-- KEYS  1 meta
-- ARGV  1 number that is raised  2 number that it is raised to  3 '1' for a new partition  4 '1' when keys move into this partition
-- returns 'UNDECLARED' when the partition is not there, else 'OK'
--
-- Guarantees: the end of what was published before is stored in the same step that refuses more of it; the number never becomes
-- less; a repeated call changes nothing.
--!include include/stored-offset.lua

local meta, from, to = KEYS[1], ARGV[1], ARGV[2]
local state = redis.call('HMGET', meta, 'next', 'partitions', 'gates')
local next = offsetOf(state[1])
if not next then return 'UNDECLARED' end
if (tonumber(state[2] or nil) or 0) >= tonumber(to) then return 'OK' end
local stop = string.format('%.0f', next)
redis.call('HSET', meta, 'partitions', to)
if ARGV[3] ~= '1' then redis.call('HSET', meta, 'end:' .. to, stop) end
if ARGV[4] == '1' then
  local gate = from .. ':' .. to .. ':' .. (ARGV[3] == '1' and '0' or stop)
  redis.call('HSET', meta, 'gates', state[3] and state[3] .. ' ' .. gate or gate)
  -- Nothing is handed over past the gate.
  redis.call('HDEL', meta, 'fetches')
end
return 'OK'
