-- Fetches that owners of a partition have left open: they found less than there is room for, and what is published next is handed
-- over to them, in a channel of their own. Field `fetches` of the meta, a line for each group:
-- `<group> <consumer> <member> <epoch> <number> <limit>`: the number of the fetch, and the offset from which on there is no room.

-- More at once is not handed over.
local MOST_MESSAGES, MOST_BYTES = 16, 4096
-- Before each entry in the text that hands it over: no text of an entry has it.
local SEPARATOR = '\30'
local FETCH = '(%S+) (%S+) (%S+) (%d+) (%d+) (%d+)\n'

local function fetchText(...)
  return string.format('%s %s %s %s %s %s\n', ...)
end

-- Somebody who is dead must be given nothing: it would look as if a handler had had it.
local function hears(channel)
  local reply = redis.pcall('PUBSUB', 'NUMSUB', channel)
  return reply[2] and tonumber(reply[2]) > 0
end

-- The text that hands entries over. With a foreign one among them it has none: the owner misses them, and reads them.
local function givenText(head, entries)
  local texts = { head }
  for i = 1, #entries do
    local id, fields = entries[i][1], entries[i][2]
    if not spanOf(id, fields) then return head end
    texts[i + 1] = id .. ' ' .. fields[2]
  end
  return table.concat(texts, SEPARATOR)
end

-- Hands over the next entries of the log, as many as were stored from one offset on, for which there is the ring with this id.
-- Returns false when the texts of the fetches are to stay as they are, else what is left of them: one whose owner does not listen
-- is closed. Where the group is gone, or the user may not read, its entries stay where they are.
local function handOver(log, fetches, from, entries)
  local base, texts, isClosed = string.match(log, '^.-}') .. ':ring:', {}, false
  for group, consumer, member, epoch, number, limit in string.gmatch(fetches, FETCH) do
    local hasRoom, channel = tonumber(limit) > tonumber(from), base .. member
    if not hasRoom or hears(channel) then
      texts[#texts + 1] = fetchText(group, consumer, member, epoch, number, limit)
      local reply = hasRoom and redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', entries.count, 'STREAMS', log, '>')
      if reply and not reply.err and reply[1] then
        redis.pcall('PUBLISH', channel, givenText('given ' .. entries.ringId .. ' ' .. epoch .. ' ' .. number, reply[1][2]))
      end
    else isClosed = true end
  end
  return isClosed and table.concat(texts)
end
