#!lua flags=allow-oom
-- Reads entries of partitions of an ordered group, for the member that owns them.
--
-- KEYS  for each partition: control, log, again
-- ARGV  1 group  2 consumer of all owners  3 member  then for each partition: the epoch under which the member owns it, how many
--       entries to read of each stream, then where to read in the log, and where in `again`: '>' for entries that no owner has
--       read yet; an id for those behind it that owners have read and not settled; '' not to read there
-- returns for each { { id, fields and values }... of the log, the same of `again` }; 'LOST' when the member does not own it under
--         that epoch; 'FAILED <why>' when its turn failed
--
-- Guarantees: only the owner reads; an entry that is gone from its stream though it is not settled is held no more: the audit
-- counts it; a partition that fails does not stop the others.
--!include include/try-partition.lua
--!include include/owner.lua

local FIRST, FIELDS, STREAMS = 4, 4, 3
local group, consumer, member = ARGV[1], ARGV[2], ARGV[3]

local function present(stream, entries)
  local found = {}
  for _, entry in ipairs(entries) do
    if entry[2] then found[#found + 1] = entry
    else redis.call('XACK', stream, group, entry[1]) end
  end
  return found
end

local function read(stream, count, after)
  if after == '' then return {} end
  while true do
    local reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', stream, after)
    local entries = reply and reply[1] and reply[1][2] or {}
    local found = present(stream, entries)
    if #found > 0 or #entries == 0 then return found end
  end
end

local function fetch(control, log, again, epoch, count, afterLog, afterAgain)
  if not isOwnerBy(control, member .. ' ' .. epoch) then return 'LOST' end
  return { read(log, count, afterLog), read(again, count, afterAgain) }
end

local replies = {}
for i = FIRST, #ARGV, FIELDS do
  local key = (i - FIRST) / FIELDS * STREAMS
  replies[#replies + 1] = tryPartition(fetch, KEYS[key + 1], KEYS[key + 2], KEYS[key + 3], unpack(ARGV, i, i + FIELDS - 1))
end
return replies
