-- Adds entries to a log. It needs entry-id.lua, id-order.lua and last-id.lua.

-- The ms for the next entry: the clock's, or the last entry's where the clock was set back.
local function msFrom(now, lastMs)
  return lastMs and tonumber(lastMs) > now and lastMs or string.format('%.0f', now)
end

-- The ms with which an entry can follow the last id: the ms of that id or, where its number is higher, the next one.
local function msBehind(log, base, number)
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1] or { '0-0', {} }
  local newestBase, size = spanOf(newest[1], newest[2])
  if newestBase and newestBase + size > base then
    error({ err = 'ERR the log ' .. log .. ' holds offsets from the next one on: without `next` in its meta that is found anew' })
  end
  local ms, lastNumber = string.match(lastIdOf(log), '^(%d+)-(%d+)$')
  return isLower(lastNumber, number) and ms or increased(ms)
end

-- The text of an entry.
local function textOf(texts)
  return '[' .. table.concat(texts, ',\n') .. ']'
end

-- Adds an entry, given by its base, size and text. Returns the ms of its id: the given one, unless the last id is higher, as
-- after a foreign entry, or after one of ours when the meta with its ms was lost.
local function addEntry(log, ms, entry)
  local number = string.format('%.0f', entry.base * 16 + entry.size - 1)
  local reply = redis.pcall('XADD', log, 'NOMKSTREAM', ms .. '-' .. number, 'm', entry.text)
  if type(reply) ~= 'table' then return ms end
  if not string.find(reply.err, 'equal or smaller', 1, true) then error(reply) end
  ms = msBehind(log, entry.base, number)
  redis.call('XADD', log, 'NOMKSTREAM', ms .. '-' .. number, 'm', entry.text)
  return ms
end
