#!lua flags=no-writes
-- Reads who owns partitions of a group.
--
-- KEYS  control of each partition
-- returns for each { owner, epoch }, '' where there is none; 'FAILED <why>' when its turn failed
--
-- Guarantees: all are read at one moment; a partition that fails does not stop the others.
--!include include/try-partition.lua

local function look(control)
  local record = redis.call('HMGET', control, 'owner', 'epoch')
  return { record[1] or '', record[2] or '' }
end

local replies = {}
for i, control in ipairs(KEYS) do replies[i] = tryPartition(look, control) end
return replies
