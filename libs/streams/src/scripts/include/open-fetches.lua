-- Fetches that owners of a partition have left open: they found less than there is room for, and what is published next is handed
-- over to them with its ring. Field `fetches` of the meta, a line for each group:
-- `<group> <consumer> <member> <epoch> <number> <handed> <room> <next>`: the number of the fetch, how many entries were handed over
-- to it, how many more messages there is room for, and the offset of the next one, of which the group has read all before.

-- What is more at once is not handed over: all who listen in the channel of the partition would get it.
local MOST_MESSAGES, MOST_BYTES = 16, 4096
-- Before each entry in a ring: no text of an entry has it.
local SEPARATOR = '\30'
local FETCH = '(%S+) (%S+) (%S+ %d+) (%d+) (%d+) (%-?%d+) (%d+)\n'

local function fetchText(...)
  return string.format('%s %s %s %s %s %s %s\n', ...)
end

local function isOpen(place, group, token)
  local record = redis.call('HMGET', string.match(place.meta, '^.-}') .. ':group:' .. group .. ':control', 'owner', 'epoch')
  return (record[1] or '') .. ' ' .. (record[2] or '') == token
end

-- Reads new entries of the log for the owner of the group. Where the group is gone, or the user may not read, they stay there.
local function readFor(place, group, consumer)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', MOST_MESSAGES, 'STREAMS', place.log, '>')
  return reply and not reply.err and reply[1] and reply[1][2] or {}
end

local function messagesIn(entries)
  local messages = 0
  for _, entry in ipairs(entries) do
    local _, size = spanOf(entry[1])
    messages = messages + (size or 1)
  end
  return messages
end

-- Hands the entries that were stored from one offset up to another over to the fetches that wait for them. Returns what the ring
-- for them says in addition, '' when nobody took them. A fetch that waits for an earlier entry stays as it is: its owner reads, and
-- learns what was handed over. One whose owner is owner no more goes.
local function handOver(place, from, to)
  local texts, words, given = {}, {}, {}
  for group, consumer, token, number, handed, room, next in string.gmatch(place.fetches, FETCH) do
    local isKept = isOpen(place, group, token)
    local entries = isKept and next == from and tonumber(room) > 0 and readFor(place, group, consumer) or {}
    if #entries > 0 then
      handed, room, next = string.format('%.0f', handed + #entries), string.format('%.0f', room - messagesIn(entries)), to
      -- Where they are others, the owner misses them in the count, and reads them.
      if spanOf(entries[1][1]) == tonumber(from) then
        given = entries
        words[#words + 1] = string.format(' %s %s %s %s', group, string.match(token, '%d+$'), number, handed)
      end
    end
    if isKept then texts[#texts + 1] = fetchText(group, consumer, token, number, handed, room, next) end
  end
  local text = table.concat(texts)
  if text ~= place.fetches then redis.call('HSET', place.meta, 'fetches', text) end
  for _, entry in ipairs(given) do words[#words + 1] = SEPARATOR .. entry[1] .. ' ' .. entry[2][2] end
  return table.concat(words)
end
