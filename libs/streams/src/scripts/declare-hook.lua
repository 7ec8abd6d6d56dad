#!lua
-- Makes the hook of a group's dead letters in one partition; does nothing where it is.
--
-- KEYS  1 dead letters  2 control  3 groups
-- ARGV  1 name of the hook  2 member, which is known from then on as one that serves the hook  3 group
-- returns 1 when it was made, 0 when it was there, -1 with nothing done when the group is not
--
-- Guarantees: no message is reported that was dead-lettered before the hook was first declared; a hook that Redis has lost begins
-- again at its first start, so that dead letters are reported twice rather than not at all.
--!include include/last-id.lua

local dead, control, hook = KEYS[1], KEYS[2], ARGV[1]
if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 0 then return -1 end
local after = redis.call('HGET', control, 'hookFrom')
if not after then
  after = redis.call('EXISTS', dead) == 1 and lastIdOf(dead) or '0-0'
  redis.call('HSET', control, 'hookFrom', after)
end
local reply = redis.pcall('XGROUP', 'CREATE', dead, hook, after, 'MKSTREAM')
if reply.err and not string.find(reply.err, 'BUSYGROUP', 1, true) then return reply end
redis.call('XGROUP', 'CREATECONSUMER', dead, hook, ARGV[2])
return reply.err and 0 or 1
