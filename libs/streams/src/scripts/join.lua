#!lua flags=allow-oom
-- Registers a member of a group, so that a pause of the group knows which members to wait for.
--
-- KEYS  1 log of the group's first partition  2 control of that partition
-- ARGV  1 group  2 member  3 the order in which it handles messages: 'key', 'partition', or '' in shared mode
--       4 '1' when nothing in the group waits for its present order, so that it may go  then the consumers that are no members
--       which live
-- returns 1 when it is new, 0 when it was known; -1 when the group is not there; the order of the group and the names of
--         members that may live, with nothing done, when the group has another order, and they may live, or the order would go
--
-- Guarantees: all members of a group that live have one order; the other members are rung; a member can join while Redis is
-- full, which XGROUP CREATECONSUMER alone would refuse.
--!include include/ring.lua

local log, control, group, member, order = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local FIRST_GONE = 5

-- Other consumers of the group, but for those that are gone.
local function others()
  local isNone, found = { [member] = true }, {}
  for i = FIRST_GONE, #ARGV do isNone[ARGV[i]] = true end
  local consumers = redis.pcall('XINFO', 'CONSUMERS', log, group)
  for _, consumer in ipairs(consumers.err and {} or consumers) do
    if not isNone[consumer[2]] then found[#found + 1] = consumer[2] end
  end
  return found
end

local present = redis.call('HGET', control, 'ordering') or ''
if present ~= order then
  local names = others()
  if #names > 0 or (order == '' and ARGV[4] ~= '1') then return { present, unpack(names) } end
  if order == '' then redis.call('HDEL', control, 'ordering')
  else redis.call('HSET', control, 'ordering', order) end
end
local reply = redis.pcall('XGROUP', 'CREATECONSUMER', log, group, member)
if reply == 1 then ring(log, 'control ' .. group) end
return type(reply) == 'table' and -1 or reply
