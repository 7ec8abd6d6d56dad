#!lua flags=allow-oom
-- Makes a member the owner of partitions of a group, each from the record that the member expects there.
--
-- KEYS  control and meta of each partition
-- ARGV  1 group  2 member  then for each: owner and epoch of the expected record, '' where there is none; the least epoch to own
--       it under; '1' when that owner died with all that it held, else ''
-- returns for each the epoch under which the member owns it; { owner, epoch }, the record that stands, when that is not the
--         expected one; 'FAILED <why>' when its turn failed
--
-- Guarantees: a partition has one owner, and no two under one epoch; the epoch of a record grows; a call that is repeated finds
-- what the first one did; a death is not forgotten before an owner has counted it; an owner that others take for dead is rung, and
-- is handed nothing more; a partition that fails does not stop the others.
--!include include/ring.lua
--!include include/try-partition.lua
--!include include/stored-offset.lua
--!include include/fetch-lines.lua

local FIRST, FIELDS, KEYS_EACH = 3, 4, 2
local group, member = ARGV[1], ARGV[2]

local function closeFetch(meta)
  local fetches = redis.call('HGET', meta, 'fetches')
  local others = withoutFetch(fetches, group)
  if fetches and others ~= fetches then redis.call('HSET', meta, 'fetches', others) end
end

local function acquire(control, meta, owner, epoch, least, hasDied)
  local record = redis.call('HMGET', control, 'owner', 'epoch')
  local presentOwner, presentEpoch = record[1] or '', record[2] or ''
  local next = math.max((offsetOf(epoch) or 0) + 1, tonumber(least))
  local text = string.format('%.0f', next)
  if presentOwner == member and presentEpoch == text then return next end
  if presentOwner ~= owner or presentEpoch ~= epoch then return { presentOwner, presentEpoch } end
  redis.call('HSET', control, 'owner', member, 'epoch', text)
  if hasDied == '1' then redis.call('HSET', control, 'suspects', string.format('%.0f', next - 1)) end
  closeFetch(meta)
  if owner ~= '' and owner ~= member then ring(control, 'control ' .. group) end
  return next
end

local replies = {}
for i = 1, #KEYS / KEYS_EACH do
  local key, first = (i - 1) * KEYS_EACH, FIRST + (i - 1) * FIELDS
  replies[i] = tryPartition(acquire, KEYS[key + 1], KEYS[key + 2], unpack(ARGV, first, first + FIELDS - 1))
end
return replies
