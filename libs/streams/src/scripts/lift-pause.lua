#!lua flags=allow-oom
-- Ends a pause of a group, and lets members go on whose handlers failed too often.
--
-- KEYS  1 control of the group's first partition  2 the records of those members
-- ARGV  1 the pause to end, or '' for the one in force
-- returns 1 when it was in force, else 0
--
-- Guarantees: another pause, which began meanwhile, stays. With the end of one pause by its name those members do not go on.
local control, own = KEYS[1], ARGV[1]
if own == '' then redis.call('DEL', KEYS[2]) end
local paused = redis.call('HGET', control, 'paused')
if not paused or (own ~= '' and paused ~= own) then return 0 end
for _, field in ipairs(redis.call('HKEYS', control)) do
  if field == 'paused' or field == 'until' or field == 'pausedBy' or string.sub(field, 1, 6) == 'quiet:' then redis.call('HDEL', control, field) end
end
return 1
