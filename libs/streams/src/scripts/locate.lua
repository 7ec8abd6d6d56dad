#!lua flags=no-writes
-- Finds a position in the log of a partition.
--
-- KEYS  1 log  2 meta
-- ARGV  1 'earliest' | 'latest' | 'time' | 'offset'  2 Unix ms, or the offset
-- returns { entry id to read after, offset of the first message from there on }, or 'UNDECLARED' when the partition is not
--         there, or 'FORMAT <number>' when the log is of another format than ours
--
-- Guarantees: a position that was trimmed or deleted gives the next message; one that is yet to come gives the end. The id to
-- read after holds the offset of the next entry: it reads as the id of a one-message entry just before that.
--!include include/entry-id.lua
--!include include/last-id.lua
--!include include/stored-offset.lua
--!include include/find-offset.lua

local log, meta, kind, value = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local state = redis.call('HMGET', meta, 'next', 'format')
local next = offsetOf(state[1])
if not next or redis.call('EXISTS', log) == 0 then return 'UNDECLARED' end
if state[2] ~= FORMAT then return 'FORMAT ' .. (state[2] or 1) end

local function atEnd() return { lastIdOf(log), next } end

-- Not lower than the number of the entry before, (base - n) * 16 + n - 1, where n is at least one.
local function before(entry)
  if entry.base == 0 then return '0-0' end
  return string.match(entry.id, '^%d+') .. string.format('-%.0f', (entry.base - 1) * 16)
end

local function at(entry, offset)
  if not entry then return atEnd() end
  return { before(entry), math.max(entry.base, offset) }
end

if kind == 'latest' then return atEnd() end
if kind == 'time' then return at(firstFrom(log, next, string.format('%.0f-0', value), 0), 0) end
if kind == 'offset' then
  if value >= next then return atEnd() end
  return at(entryOf(log, next, value), value)
end
return at(firstFrom(log, next, '-', 0), 0)
