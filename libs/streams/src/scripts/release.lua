#!lua flags=allow-oom
-- Gives up partitions of a group that a member owns.
--
-- KEYS  control of each partition
-- ARGV  1 group  2 member  then for each: the epoch under which the member owns it; '1' when it counted the death of the owner
--       before it, or there was none; else '': the next owner is to count it
-- returns for each 1 when nobody owns it since that epoch; 0 with nothing done when it is another's, or under another epoch;
--         'FAILED <why>' when its turn failed
--
-- Guarantees: only the owner gives it up; the epoch stays, so that the next owner has a higher one; the other members are rung; a
-- call may be repeated; a partition that fails does not stop the others.
--!include include/ring.lua
--!include include/try-partition.lua

local FIRST, FIELDS = 3, 2
local group, member = ARGV[1], ARGV[2]

local function release(control, epoch, hasCounted)
  local record = redis.call('HMGET', control, 'owner', 'epoch')
  if record[2] ~= epoch then return 0 end
  if not record[1] then return 1 end
  if record[1] ~= member then return 0 end
  redis.call('HDEL', control, 'owner')
  if hasCounted == '1' then redis.call('HDEL', control, 'suspects') end
  ring(control, 'control ' .. group)
  return 1
end

local replies = {}
for i, control in ipairs(KEYS) do
  local first = FIRST + (i - 1) * FIELDS
  replies[i] = tryPartition(release, control, ARGV[first], ARGV[first + 1])
end
return replies
