-- Finds the entry of an offset in a log whose next offset is known. It needs entry-id.lua and last-id.lua.

local MOST_MS = 2 ^ 53

-- The first entry from an id on with messages of at least that offset. One entry is read; more only if that one is too low.
local function firstFrom(log, next, id, offset)
  local count = 1
  while true do
    local page = redis.call('XRANGE', log, id, '+', 'COUNT', count)
    for _, entry in ipairs(page) do
      local base, size = spanOf(entry[1], entry[2])
      if base and base + size > offset and base + size <= next then return { id = entry[1], base = base } end
    end
    if #page < count then return nil end
    id, count = '(' .. page[#page][1], 100
  end
end

-- The last millisecond in which an offset up to the wanted one was stored: offsets grow with the ids.
local function millisecondOf(log, next, offset)
  local first, last = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1], lastIdOf(log)
  if not first then return 0 end
  local low, high = tonumber(string.match(first[1], '^%d+')), math.min(MOST_MS, tonumber(string.match(last, '^%d+')))
  while low < high do
    local middle = math.floor((low + high + 1) / 2)
    local entry = firstFrom(log, next, string.format('%.0f-0', middle), 0)
    if entry and entry.base <= offset then low = middle else high = middle - 1 end
  end
  return low
end

-- The entry of an offset, or else the next entry; nil when there is none.
local function entryOf(log, next, offset)
  local ms = millisecondOf(log, next, offset)
  local from = ms >= MOST_MS and '-' or string.format('%.0f-%.0f', ms, math.max(0, offset - 15) * 16)
  return firstFrom(log, next, from, offset)
end
