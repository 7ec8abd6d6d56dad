#!lua flags=allow-oom
-- Forgets members of a group in one partition that are silent and hold nothing.
--
-- KEYS  1 members  2 log  3 retry log
-- ARGV  1 group  2 how long they must have been silent, ms  3 a member that says goodbye, or '': then it alone
-- returns how many were forgotten
--
-- Guarantees: nothing pending is destroyed, which XGROUP DELCONSUMER alone would do.
local group, silent, leaving = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function holdsAny(member)
  for i = 2, 3 do
    if #redis.call('XPENDING', KEYS[i], group, '-', '+', 1, member) > 0 then return true end
  end
  return false
end

local members = { leaving }
if leaving == '' then
  members = redis.call('ZRANGE', KEYS[1], '-inf', now - silent, 'BYSCORE', 'LIMIT', 0, 100)
end
local forgotten = 0
for _, member in ipairs(members) do
  if not holdsAny(member) then
    for i = 2, 3 do redis.call('XGROUP', 'DELCONSUMER', KEYS[i], group, member) end
    redis.call('ZREM', KEYS[1], member)
    forgotten = forgotten + 1
  end
end
return forgotten
