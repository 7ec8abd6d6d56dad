#!lua
-- Makes a group of a partition; does nothing where it is.
--
-- KEYS  1 log  2 groups  3 retry log
-- ARGV  1 group
-- returns 'present', 'new', or 'remade' when it was known and one of its two Redis groups was gone
--
-- Guarantees: a new group starts at the earliest entry, never at the newest: a group that was lost sees again what it
-- may have missed. The log is not made here: a publish to a log without its meta would count from 0.
local log, groups, retryLog, group = KEYS[1], KEYS[2], KEYS[3], ARGV[1]

local function create(...)
  local reply = redis.pcall('XGROUP', 'CREATE', ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'BUSYGROUP', 1, true) then return 0 end
    error(reply)
  end
  return 1
end

local made = create(log, group, '0')
made = made + create(retryLog, group, '0', 'MKSTREAM')
local known = redis.call('HSETNX', groups, group, 0) == 0
return made == 0 and 'present' or known and 'remade' or 'new'
