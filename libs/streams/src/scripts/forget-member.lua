#!lua flags=allow-oom
-- Removes a member that leaves from a group in one partition.
--
-- KEYS  1 log  2 again
-- ARGV  1 group  2 member
-- returns 1; 0 when it still holds entries, and is not removed
--
-- Guarantees: no pending entry is destroyed, as XGROUP DELCONSUMER alone would do.
local group, member = ARGV[1], ARGV[2]
for _, stream in ipairs(KEYS) do
  if #redis.call('XPENDING', stream, group, '-', '+', 1, member) > 0 then return 0 end
end
for _, stream in ipairs(KEYS) do redis.call('XGROUP', 'DELCONSUMER', stream, group, member) end
return 1
