#!lua flags=allow-oom
-- Finds messages that are gone from Redis before a group was done with them, and counts them off, once.
--
-- KEYS  for each partition of a group: log, meta, groups, stats, open, due, again, body, control
-- ARGV  for each: group
-- returns for each how many were found; -1 when that is not known now: too many are held or wait, or the group is not there;
--         'UNDECLARED' when the meta of the partition or the group's start is gone; 'FAILED <why>' when its turn failed
--
-- Every offset since the group's start is settled, waits for another attempt (open), is held by a member (pending), or was
-- not delivered yet. Any other offset is lost. Guarantees: no message is counted that may still be handled; counters that
-- were lost themselves are corrected and count nothing as lost; a message that waits without a record gets one, and one with
-- a record that does not wait, waits again.
--!include include/try-partition.lua
--!include include/entry-id.lua
--!include include/last-id.lua
--!include include/stored-offset.lua
--!include include/next-offset.lua
--!include include/entry-texts.lua
--!include include/ring.lua
--!include include/delivered-to.lua
--!include include/offset-behind.lua
--!include include/find-offset.lua
--!include include/waiting.lua

local MAX_PENDING, PAGE, FIELDS = 1000, 100, 9
-- Messages that wait, looked at in one call.
local LOOK = 500

-- An entry counts whole, though some of its messages may be settled, and a foreign one counts too: a count of held messages
-- that is too high only delays a finding.
local function inHand(log, group)
  local count, from = 0, '-'
  while true do
    local pending = redis.call('XPENDING', log, group, from, '+', PAGE)
    for _, item in ipairs(pending) do
      local _, size = spanOf(item[1])
      count = count + (size or 0)
      if count > MAX_PENDING then return nil end
    end
    if #pending < PAGE then return count end
    from = '(' .. pending[#pending][1]
  end
end

local function countWaiting(group)
  return redis.call('ZCARD', group.due) + redis.call('XLEN', group.again)
end

-- The copies in `again`, by offset. Copies begin with the offset: '[7,2,...'.
local function copiesIn(again)
  local copies, from = {}, '-'
  while true do
    local entries = redis.call('XRANGE', again, from, '+', 'COUNT', PAGE)
    for _, entry in ipairs(entries) do
      local offset = tonumber(string.match(entry[2][2], '^%[(%-?%d+),'))
      if offset then copies[offset] = entry[2][2] end
    end
    if #entries < PAGE then return copies end
    from = '(' .. entries[#entries][1]
  end
end

-- A message that has a record and waits nowhere is made to wait; if its text is gone, too, it is lost. One page a call.
local function findMissing(group)
  local open = redis.call('ZCARD', group.open)
  if open == 0 then return end
  if open <= countWaiting(group) then return redis.call('HDEL', group.control, 'mended') end
  local from, copies = redis.call('HGET', group.control, 'mended') or '-inf', copiesIn(group.again)
  local members = redis.call('ZRANGE', group.open, from, '+inf', 'BYSCORE', 'LIMIT', 0, LOOK)
  local offset
  for _, member in ipairs(members) do
    offset = tonumber(string.match(member, '^%d+'))
    if not copies[offset] and not redis.call('ZSCORE', group.due, nameOf(offset)) then
      local record = parsed(group, member, offset)
      if record and textOf(group, offset, record.ms) then addDue(group, nil, nameOf(offset))
      else forget(group, offset) end
    end
  end
  if #members < LOOK then redis.call('HDEL', group.control, 'mended')
  else redis.call('HSET', group.control, 'mended', offset + 1) end
end

-- The message in a copy that has no record; nil in any other.
local function unrecorded(group, copy)
  local good, parts = pcall(cjson.decode, copy)
  if not good or type(parts) ~= 'table' or not tonumber(parts[1]) then return nil end
  if parts[1] < 0 or recordOf(group, parts[1]) then return nil end
  local ms = string.format('%.0f', milliseconds())
  local attempt, crashes = string.format('%.0f', parts[2]), string.format('%.0f', parts[3])
  return { offset = parts[1], ms = ms, attempt = attempt, crashes = crashes, first = sinceStored(ms, parts[4]), text = parts[5] }
end

local function recordCopies(group)
  local count = 0
  for offset, copy in pairs(copiesIn(group.again)) do
    local message = unrecorded(group, copy)
    if message then
      redis.call('HSET', group.body, offset, message.text)
      write(group, message)
      count = count + 1
    end
  end
  return count
end

-- A message that waits and has no record gets a new one: its number of attempts is lost, unless it waits as a copy.
local function recordName(group, next, name)
  local offset = tonumber(name)
  if recordOf(group, offset) then return 0 end
  local entry = entryOf(group.log, next, offset)
  if not entry or entry.base > offset then
    forget(group, offset)
    return 0
  end
  write(group, { offset = offset, ms = string.match(entry.id, '^%d+'), attempt = '1', crashes = '0', first = '-' })
  return 1
end

local function recordCopy(group, copy, due)
  local message = unrecorded(group, copy)
  if not message then return 0 end
  redis.call('HSET', group.body, message.offset, message.text)
  redis.call('ZREM', group.due, copy)
  wait(group, message, due)
  return 1
end

-- A message that waits is not lost, though its record may be. Returns how many records were made again; nil when there is more to
-- look at.
local function recorded(group, next)
  if redis.call('ZCARD', group.open) >= countWaiting(group) then return 0 end
  local count = recordCopies(group)
  local cursor = redis.call('HGET', group.control, 'scanned') or '0'
  local reply = redis.call('ZSCAN', group.due, cursor, 'COUNT', LOOK)
  for i = 1, #reply[2], 2 do
    local member, due = reply[2][i], reply[2][i + 1]
    local isName = string.find(member, '^%d+$')
    count = count + (isName and recordName(group, next, member) or not isName and recordCopy(group, member, due) or 0)
  end
  redis.call('HSET', group.control, 'scanned', reply[1])
  if reply[1] == '0' then return count end
end

local function audit(name, log, meta, groups, stats, open, due, again, body, control)
  local start, after, pending = redis.call('HGET', groups, name), deliveredTo(log, name)
  if not after then return -1 end
  if not start or redis.call('HEXISTS', meta, 'next') == 0 then return 'UNDECLARED' end
  local next = mendedNext(log, meta)
  local group = { name = name, log = log, again = again, due = due, open = open, body = body, control = control }
  local held = pending == 0 and 0 or inHand(log, name)
  -- Messages that a seek made void have records until they are swept.
  if not held or seekOf(group).position then return -1 end
  findMissing(group)
  local done = next - tonumber(start) - redis.call('ZCARD', open) - held - (next - offsetBehind(log, after, next))
  -- Counters that began anew after a loss are incomplete: the mark says that they go back to the start of the group.
  local counters = redis.call('HMGET', stats, 'whole', 'settled')
  if not counters[1] then
    redis.call('HSET', stats, 'whole', 1, 'settled', math.max(0, done))
    return 0
  end
  local lost = done - tonumber(counters[2] or 0)
  if lost <= 0 then return 0 end
  local waiting = recorded(group, next)
  if not waiting then return -1 end
  lost = math.max(0, lost - waiting)
  redis.call('HINCRBY', stats, 'settled', lost)
  redis.call('HINCRBY', stats, 'lost', lost)
  return lost
end

local replies = {}
for i, group in ipairs(ARGV) do
  local first = (i - 1) * FIELDS
  replies[i] = tryPartition(audit, group, unpack(KEYS, first + 1, first + FIELDS))
end
return replies
