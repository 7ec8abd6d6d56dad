-- Messages of a group that wait for another attempt. It needs entry-id.lua, entry-texts.lua and ring.lua.
--
-- A group is { name, log, again, due, open, body, control }: its name and its keys. A message that left the log and is not done
-- has a record in `open`: offset, ms of its entry's id, attempt, crashes, ms from that to its first failure or '-', number of
-- the last seek; the score is the offset. Its text is in the log, or in `body`. While it waits its offset is in `due`; then a
-- copy of it is in `again`. A foreign entry has no record: it is in `due` as the text that comes into `again`.

-- Most entries of `again` that no member holds; fewer while Redis is full, as each is a copy.
local MOST_AGAIN, MOST_AGAIN_WHEN_FULL = 256, 16

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A member of `due`; all have one length, so that messages that are due at one moment are in the order of their offsets.
local function nameOf(offset) return string.format('%016.0f', offset) end

-- The last seek, and the offset from which on older waiting messages are void: none once all of them are swept.
local function seekOf(group)
  if not group.seek then
    local state = redis.call('HMGET', group.control, 'replay', 'void')
    group.seek = { number = state[1] or '0', position = tonumber(state[2] or nil) }
  end
  return group.seek
end

local function parsed(group, member, offset)
  local ms, attempt, crashes, first, number = string.match(member, '^%d+ (%d+) (%d+) (%d+) (%S+) (%d+)$')
  if not ms then return nil end
  local seek = seekOf(group)
  local isVoid = seek.position ~= nil and offset >= seek.position and number ~= seek.number
  return { offset = offset, ms = ms, attempt = attempt, crashes = crashes, first = first, isVoid = isVoid }
end

local function recordOf(group, offset)
  local member = redis.call('ZRANGE', group.open, offset, offset, 'BYSCORE')[1]
  if member then return parsed(group, member, offset) end
end

-- The time of a first failure, Unix ms, from its form in a record, and back.
local function failedAt(message)
  return message.first == '-' and 'null' or string.format('%.0f', tonumber(message.ms) + tonumber(message.first))
end

local function sinceStored(ms, firstFailedAt)
  return tonumber(firstFailedAt) and string.format('%.0f', tonumber(firstFailedAt) - tonumber(ms)) or '-'
end

-- Writes the record of a message, in place of its earlier record.
local function write(group, message, before)
  local offset = string.format('%.0f', message.offset)
  local parts = { offset, message.ms, message.attempt, message.crashes, message.first, seekOf(group).number }
  if before then redis.call('ZREMRANGEBYSCORE', group.open, offset, offset) end
  redis.call('ZADD', group.open, offset, table.concat(parts, ' '))
end

-- The entry of the log with a message whose ms is known. Foreign entries may follow it in the same ms.
local function entryWith(group, offset, ms)
  local last, count = ms .. string.format('-%.0f', offset * 16 + 15), 1
  while count <= 256 do
    for _, entry in ipairs(redis.call('XREVRANGE', group.log, last, ms .. '-0', 'COUNT', count)) do
      local base, size = spanOf(entry[1], entry[2])
      if base and base <= offset and offset < base + size then return entry end
    end
    count = count * 256
  end
end

-- A script ends when it has read so many bytes: more would block Redis.
local function goThrough(group, bytes) group.bytes = (group.bytes or 0) + bytes end

-- The text of a message that the log has. Messages that follow each other are often of one entry.
local function textInLog(group, offset, ms)
  local last = group.parsed
  if last and last.ms == ms and last.texts[offset - last.base + 1] then return last.texts[offset - last.base + 1] end
  local entry = entryWith(group, offset, ms)
  local base, texts
  if entry then base, texts = textsOf(entry) end
  if not base then return nil end
  goThrough(group, #entry[2][2])
  group.parsed = { ms = ms, base = base, texts = texts }
  return texts[offset - base + 1]
end

-- The text of a message; nil when Redis has it no more.
local function textOf(group, offset, ms)
  if group.hasBodies == nil then group.hasBodies = redis.call('EXISTS', group.body) == 1 end
  local body = group.hasBodies and redis.call('HGET', group.body, offset)
  return body or textInLog(group, offset, ms)
end

-- The copy of a message that comes into `again`.
local function copyOf(message, text)
  local parts = { string.format('%.0f', message.offset), message.attempt, message.crashes, failedAt(message), cjson.encode(text) }
  return '[' .. table.concat(parts, ',') .. ']'
end

local function isFull()
  local info = redis.call('INFO', 'memory')
  local used, most = string.match(info, 'used_memory:(%d+)'), string.match(info, 'maxmemory:(%d+)')
  return most ~= '0' and tonumber(used) > tonumber(most)
end

-- How many entries `again` has room for.
local function roomOf(group)
  if not group.room then
    local pending = redis.pcall('XPENDING', group.again, group.name)
    if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then error(pending) end
    local most = isFull() and MOST_AGAIN_WHEN_FULL or MOST_AGAIN
    group.room = pending.err and 0 or math.max(0, most - redis.call('XLEN', group.again) + pending[1])
  end
  return group.room
end

-- Members are rung for the first copy: they then read all copies.
local function addAgain(group, copy)
  local id = redis.call('XADD', group.again, '*', 'r', copy)
  if not group.isRung then ring(group.again, 'again ' .. group.name .. ' ' .. id) end
  group.isRung = true
  goThrough(group, #copy)
  group.room = roomOf(group) - 1
end

-- Makes a member of `due` wait until a time. Who tends the partition is rung for the first, and for each that is due before it.
local function addDue(group, due, member)
  local now = milliseconds()
  due = tonumber(due) or now
  redis.call('ZADD', group.due, due, member)
  if group.rungFor and group.rungFor <= due then return end
  group.rungFor = due
  ring(group.due, 'due ' .. group.name .. string.format(' %.0f', math.max(0, due - now)))
end

-- Makes a message wait: until a time or, where that is nil, until a member reads it. Returns whether it waited already. The
-- record comes last: it stays as it was when the rest fails.
local function wait(group, message, due)
  local before = recordOf(group, message.offset)
  local text = not due and roomOf(group) > 0 and (message.text or textOf(group, message.offset, message.ms))
  if text then
    addAgain(group, copyOf(message, text))
    if before then redis.call('ZREM', group.due, nameOf(message.offset)) end
  else
    addDue(group, due, nameOf(message.offset))
  end
  write(group, message, before)
  return before ~= nil and not before.isVoid
end

-- Makes a copy without a record wait.
local function waitAsIs(group, copy, due)
  if not due and roomOf(group) > 0 then addAgain(group, copy)
  else addDue(group, due, copy) end
end

-- Removes the record of a message that is done or void. Returns whether it had one.
local function forget(group, offset)
  redis.call('ZREM', group.due, nameOf(offset))
  redis.call('HDEL', group.body, offset)
  return redis.call('ZREMRANGEBYSCORE', group.open, offset, offset) > 0
end
