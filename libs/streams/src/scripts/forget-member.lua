#!lua flags=allow-oom
-- Removes a member that leaves from a group in one partition.
--
-- KEYS  1 log  2 again
-- ARGV  1 group  2 member  3 '1' in the partition where the group looks for its members
-- returns 1; 0 when it still holds entries, and is not removed
--
-- Guarantees: no pending entry is destroyed, as XGROUP DELCONSUMER alone would do; the other members are rung.
--!include include/ring.lua

local group, member = ARGV[1], ARGV[2]
for _, stream in ipairs(KEYS) do
  if #redis.call('XPENDING', stream, group, '-', '+', 1, member) > 0 then return 0 end
end
for _, stream in ipairs(KEYS) do redis.call('XGROUP', 'DELCONSUMER', stream, group, member) end
if ARGV[3] == '1' then ring(KEYS[1], 'control ' .. group) end
return 1
