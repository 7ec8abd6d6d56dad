#!lua flags=no-writes
-- Looks whether a group has settled all that was published to partitions before a raise.
--
-- KEYS  for each partition: meta, log, open, parked keys
-- ARGV  1 group  2 number of partitions that the topic was raised to
-- returns for each 1 when it has, else 0; 'FAILED <why>' when its turn failed
--
-- Guarantees: a partition counts as settled only when nothing from before the raise is unread, held by an owner, or waits for
-- another attempt, and no key of it waits for an operator. One whose end at the raise Redis has lost counts as settled: the messages behind it would wait for ever.
--!include include/try-partition.lua
--!include include/entry-id.lua
--!include include/stored-offset.lua
--!include include/delivered-to.lua

local PAGE = 100
local group, field = ARGV[1], 'end:' .. ARGV[2]

-- Whether the first of our entries is before an offset. Foreign ones, which have no offset, are skipped.
local function isBefore(at, log, from)
  while true do
    local entries = redis.call('XRANGE', log, from, '+', 'COUNT', PAGE)
    for _, entry in ipairs(entries) do
      local base = spanOf(entry[1], entry[2])
      if base then return base < at end
    end
    if #entries < PAGE then return false end
    from = '(' .. entries[#entries][1]
  end
end

-- Whether an owner holds an entry from before an offset: they are in the order of their offsets.
local function isHeldBefore(at, log)
  for _, item in ipairs(redis.call('XPENDING', log, group, '-', '+', PAGE)) do
    local base = spanOf(item[1])
    if not base or base < at then return true end
  end
  return false
end

local function look(meta, log, open, parkedKeys)
  local at = offsetOf(redis.call('HGET', meta, field))
  if not at then return 1 end
  local delivered, pending = deliveredTo(log, group)
  if not delivered or isBefore(at, log, '(' .. delivered) then return 0 end
  if pending > 0 and isHeldBefore(at, log) then return 0 end
  if redis.call('EXISTS', parkedKeys) == 1 then return 0 end
  local waiting = redis.call('ZRANGE', open, 0, 0, 'WITHSCORES')
  return waiting[2] and tonumber(waiting[2]) < at and 0 or 1
end

local replies = {}
for i = 1, #KEYS, 4 do replies[#replies + 1] = tryPartition(look, unpack(KEYS, i, i + 3)) end
return replies
