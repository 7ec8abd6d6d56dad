#!lua flags=allow-oom
-- Moves retries that are due into `again`, for groups in partitions, and returns how many entries each member holds.
--
-- KEYS  for each partition of a group: log, again, due, stats, open, body, control, forward
-- ARGV  1 how many retries to move at the most, in each  then for each: group
-- returns for each { retries moved, ms until there is something to do or -1 when nothing waits, entries in the forward log, then for each member that
--         Redis knows of: name, entries that it holds of the log, and of `again` }; 'UNDECLARED' when the group is gone from
--         one of the two, 'FAILED <why>' when its turn failed
--
-- Guarantees: a retry is in `due` or in `again` at any time; `again` has a bounded number of entries that no member holds;
-- messages that a seek made void are not delivered; the time of this call is stored as when a member was last there; a
-- partition that fails does not stop the others.
--!include include/try-partition.lua
--!include include/ring.lua
--!include include/entry-id.lua
--!include include/entry-texts.lua
--!include include/waiting.lua
--!include include/sweep.lua

local FIRST, FIELDS = 2, 8
local MOST_BYTES = 262144
-- When to look whether `again` has room: soon while it is emptied.
local SOON_MS, LATER_MS = 20, 200
local PUT_OFF_MS = 1000
local now = milliseconds()

-- Adds how many entries of one stream members hold; returns false when the group is gone.
local function addHeld(members, stream, group, place)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
  if consumers.err then return false end
  for _, consumer in ipairs(consumers) do
    local name = consumer[2]
    if not members[name] then
      members[name] = { 0, 0 }
      members[#members + 1] = name
    end
    members[name][place] = consumer[4]
  end
  return true
end

-- The copy that comes into `again`; nil for a void message, and for one whose text is gone: the audit counts that.
local function copyFor(group, record)
  if record.isVoid then
    forget(group, record.offset)
    return nil
  end
  local text = textOf(group, record.offset, record.ms)
  return text and copyOf(record, text)
end

-- Moves one member of `due`. A message whose record is gone waits until the audit has made it again.
local function move(group, member)
  local offset = string.match(member, '^%d+$')
  local record = offset and recordOf(group, tonumber(offset))
  if offset and not record then
    redis.call('ZADD', group.due, now + PUT_OFF_MS, member)
    return
  end
  local copy = not offset and member or copyFor(group, record)
  if copy then addAgain(group, copy) end
  redis.call('ZREM', group.due, member)
end

local function moveDue(group, most)
  local moved = 0
  for _, member in ipairs(redis.call('ZRANGE', group.due, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)) do
    if roomOf(group) <= 0 or (group.bytes or 0) >= MOST_BYTES then return moved end
    move(group, member)
    moved = moved + 1
  end
  return moved
end

-- Milliseconds until the first retry is due; -1 where there is none.
local function dueIn(group)
  local first = redis.call('ZRANGE', group.due, 0, 0, 'WITHSCORES')
  return first[2] and math.max(0, tonumber(first[2]) - now) or -1
end

-- When to look again.
local function nextMs(group, ms, moved)
  if seekOf(group).position then return 0 end
  if ms ~= 0 or roomOf(group) > 0 then return ms end
  return moved > 0 and SOON_MS or LATER_MS
end

local function tend(name, log, again, due, stats, open, body, control, forward)
  local members = {}
  if not addHeld(members, log, name, 1) or not addHeld(members, again, name, 2) then return 'UNDECLARED' end
  redis.call('HSET', stats, 'seen', now)
  local group = { name = name, log = log, again = again, due = due, open = open, body = body, control = control }
  sweep(group)
  local moved, ms = 0, dueIn(group)
  if ms == 0 then
    moved = moveDue(group, tonumber(ARGV[1]))
    ms = dueIn(group)
  end
  local reply = { moved, nextMs(group, ms, moved), redis.call('HLEN', forward) }
  for _, member in ipairs(members) do
    reply[#reply + 1] = member
    reply[#reply + 1] = members[member][1]
    reply[#reply + 1] = members[member][2]
  end
  return reply
end

local replies = {}
for i = FIRST, #ARGV do
  local first = (i - FIRST) * FIELDS
  replies[#replies + 1] = tryPartition(tend, ARGV[i], unpack(KEYS, first + 1, first + FIELDS))
end
return replies
