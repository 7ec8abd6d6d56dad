#!lua flags=no-writes
-- Looks whether a group has settled all that was published to partitions before a raise.
--
-- KEYS  for each partition: meta, log, open, parked
-- ARGV  1 group  2 number of partitions that the topic was raised to  then for each partition: the name of a message from which to
--       look on among those put aside, or ''
-- returns for each 1 when it has, else 0; { name } to look on from when all but those put aside is settled: the one with it is from before
--         the raise, or more are behind it than one call looks at; 'FAILED <why>' when its turn failed
--
-- Guarantees: a partition counts as settled only when nothing from before the raise is unread, held by an owner, waits for another
-- attempt, or was put aside: keys that were put aside since lead here now as well. One whose end at the raise Redis has lost counts as
-- settled: the messages behind it would wait for ever.
--!include include/try-partition.lua
--!include include/entry-id.lua
--!include include/stored-offset.lua
--!include include/delivered-to.lua

local PAGE = 100
-- Keys put aside that one call looks at: Redis serves nobody else meanwhile.
local left = 1000
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

-- From where to look on among the messages put aside; nil when none is from before an offset. The first one of a key has its lowest.
local function parkedBefore(at, parked, from)
  while left > 0 do
    local name = redis.call('ZRANGE', parked, from == '' and '-' or '[' .. from, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
    if not name then return end
    local key, offset = string.match(name, '^(.*) (%d+)$')
    if offset and tonumber(offset) < at then return name end
    left, from = left - 1, (key or name) .. '!'
  end
  return from
end

local function look(from, meta, log, open, parked)
  local at = offsetOf(redis.call('HGET', meta, field))
  if not at then return 1 end
  local delivered, pending = deliveredTo(log, group)
  if not delivered or isBefore(at, log, '(' .. delivered) then return 0 end
  if pending > 0 and isHeldBefore(at, log) then return 0 end
  local waiting = redis.call('ZRANGE', open, 0, 0, 'WITHSCORES')
  if waiting[2] and tonumber(waiting[2]) < at then return 0 end
  local name = parkedBefore(at, parked, from)
  return name and { name } or 1
end

local replies = {}
for i = 1, #KEYS, 4 do replies[#replies + 1] = tryPartition(look, ARGV[3 + (i - 1) / 4], unpack(KEYS, i, i + 3)) end
return replies
