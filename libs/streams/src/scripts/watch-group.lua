#!lua flags=allow-oom
-- Reads the pause that an operator has ordered for a group, confirms the one that this member obeys, and lists the members.
--
-- KEYS  1 control of the group's first partition  2 log of that partition  3 meta of that partition
-- ARGV  1 group  2 member  3 the pause that this member has put into effect, or ''
-- returns { the pause in force or '', the number of partitions that publishers are held to or '', names of members }
--
-- Guarantees: a pause with an end ends on time, also when the operator who ordered it is gone.
local control, log, group, member, inEffect = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local fields = redis.call('HMGET', control, 'paused', 'until')
local paused = fields[1] or ''
if paused ~= '' and fields[2] then
  local time = redis.call('TIME')
  if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(fields[2]) then paused = '' end
end
if paused ~= '' and paused == inEffect then redis.call('HSET', control, 'quiet:' .. member, paused) end
local reply = { paused, redis.call('HGET', KEYS[3], 'partitions') or '' }
local consumers = redis.pcall('XINFO', 'CONSUMERS', log, group)
-- A group that is gone is made again elsewhere.
for i, consumer in ipairs(consumers.err and {} or consumers) do reply[i + 2] = consumer[2] end
return reply
