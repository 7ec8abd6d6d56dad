#!lua flags=no-writes
-- Finds a position in the log of a partition.
--
-- KEYS  1 log  2 meta
-- ARGV  1 'earliest' | 'latest' | 'time' | 'offset'  2 Unix ms, or the offset
-- returns { entry id to read after, offset of the first message from there on }, or 'UNDECLARED' when the partition is not
--         there, or 'FORMAT <number>' when the log is of another format than ours
--
-- Guarantees: a place that was trimmed or deleted is the next one that is there; one that is yet to come is the end. The id
-- to read after tells the offset of the entry that comes next: it reads as that of an entry of one message before it.
--!include include/entry-id.lua
--!include include/last-id.lua
--!include include/stored-offset.lua

local log, meta, kind, value = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local PAGE, MOST_MS = 100, 2 ^ 53

local state = redis.call('HMGET', meta, 'next', 'format')
local next = offsetOf(state[1])
if not next or redis.call('EXISTS', log) == 0 then return 'UNDECLARED' end
if state[2] ~= FORMAT then return 'FORMAT ' .. (state[2] or 1) end

-- The first entry from an id on with messages of at least that offset. One is looked at, more only where that is not it.
local function firstFrom(id, offset)
  local count = 1
  while true do
    local page = redis.call('XRANGE', log, id, '+', 'COUNT', count)
    for _, entry in ipairs(page) do
      local base, size = spanOf(entry[1], entry[2])
      if base and base + size > offset and base + size <= next then return { id = entry[1], base = base } end
    end
    if #page < count then return nil end
    id, count = '(' .. page[#page][1], PAGE
  end
end

local function atEnd() return { lastIdOf(log), next } end

-- Not lower than that of any entry before, whose number is (base - n) * 16 + n - 1 at the most, and n one at the least.
local function before(entry)
  if entry.base == 0 then return '0-0' end
  return string.match(entry.id, '^%d+') .. string.format('-%.0f', (entry.base - 1) * 16)
end

local function at(entry, offset)
  if not entry then return atEnd() end
  return { before(entry), math.max(entry.base, offset) }
end

-- The last millisecond in which an offset up to the wanted one was stored: offsets grow with the ids.
local function millisecondOf(offset)
  local first, last = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1], lastIdOf(log)
  if not first then return 0 end
  local low, high = tonumber(string.match(first[1], '^%d+')), math.min(MOST_MS, tonumber(string.match(last, '^%d+')))
  while low < high do
    local middle = math.floor((low + high + 1) / 2)
    local entry = firstFrom(string.format('%.0f-0', middle), 0)
    if entry and entry.base <= offset then low = middle else high = middle - 1 end
  end
  return low
end

-- The place in its millisecond where the entry of an offset may begin.
local function aroundOf(offset)
  local ms = millisecondOf(offset)
  return ms >= MOST_MS and '-' or string.format('%.0f-%.0f', ms, math.max(0, offset - 15) * 16)
end

if kind == 'latest' then return atEnd() end
if kind == 'time' then return at(firstFrom(string.format('%.0f-0', value), 0), 0) end
if kind == 'offset' then
  if value >= next then return atEnd() end
  return at(firstFrom(aroundOf(value), value), value)
end
return at(firstFrom('-', 0), 0)
