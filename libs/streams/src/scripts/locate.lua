#!lua flags=no-writes
-- Finds a position in the log of a partition.
--
-- KEYS  1 log  2 meta
-- ARGV  1 'earliest' | 'latest' | 'time' | 'offset'  2 Unix ms, or the offset
-- returns { entry id to read after, offset of the first message from there on, offset of the first message of its entry },
--         or 'UNDECLARED' when the partition is not there
--
-- Guarantees: a place that was trimmed or deleted is the next one that is there; one that is yet to come is the end.
local log, meta, kind, value = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local PAGE = 100

local next = tonumber(redis.call('HGET', meta, 'next') or nil)
if not next or redis.call('EXISTS', log) == 0 then return 'UNDECLARED' end

-- What Millrace did not write has no offset.
local function spanOf(entry)
  local fields = {}
  for i = 1, #entry[2] - 1, 2 do fields[entry[2][i]] = tonumber(entry[2][i + 1]) end
  if fields.o and fields.n then return { id = entry[1], base = fields.o, size = fields.n } end
end

local function firstFrom(id, fits)
  while true do
    local page = redis.call('XRANGE', log, id, '+', 'COUNT', PAGE)
    for _, entry in ipairs(page) do
      local span = spanOf(entry)
      if span and fits(span) then return span end
    end
    if #page < PAGE then return nil end
    id = '(' .. page[#page][1]
  end
end

local function any() return true end

local function atEnd()
  local info = redis.call('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return { info[i + 1], next, next } end
  end
end

local function before(id)
  local ms, number = string.match(id, '^(%d+)-(%d+)$')
  if number ~= '0' then return ms .. '-' .. string.format('%.0f', tonumber(number) - 1) end
  return string.format('%.0f', tonumber(ms) - 1) .. '-18446744073709551615'
end

local function at(span, offset)
  if not span then return atEnd() end
  return { before(span.id), math.max(span.base, offset), span.base }
end

-- The last millisecond in which an offset up to the wanted one was stored: offsets grow with the ids.
local function millisecondOf(offset)
  local first, last = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1], redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not first then return '-' end
  local low, high = tonumber(string.match(first[1], '^%d+')), tonumber(string.match(last[1], '^%d+'))
  while low < high do
    local middle = math.floor((low + high + 1) / 2)
    local span = firstFrom(string.format('%.0f-0', middle), any)
    if span and span.base <= offset then low = middle else high = middle - 1 end
  end
  return string.format('%.0f-0', low)
end

if kind == 'latest' then return atEnd() end
if kind == 'time' then return at(firstFrom(string.format('%.0f-0', value), any), 0) end
if kind == 'offset' then
  if value >= next then return atEnd() end
  return at(firstFrom(millisecondOf(value), function(span) return span.base + span.size > value end), value)
end
return at(firstFrom('-', any), 0)
