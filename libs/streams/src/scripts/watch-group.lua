#!lua flags=allow-oom
-- What an operator wants of a group, and what this member has made of it.
--
-- KEYS  1 control of the group's first partition
-- ARGV  1 member  2 the pause that this member has put into effect, or ''
-- returns the pause in force or ''
--
-- Guarantees: a pause with an end is over then, also when the one who asked for it is gone.
local control, member, inEffect = KEYS[1], ARGV[1], ARGV[2]
local fields = redis.call('HMGET', control, 'paused', 'until')
local paused = fields[1] or ''
if paused ~= '' and fields[2] then
  local time = redis.call('TIME')
  if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(fields[2]) then paused = '' end
end
if paused ~= '' and paused == inEffect then redis.call('HSET', control, 'quiet:' .. member, paused) end
return paused
