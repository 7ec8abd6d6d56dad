-- Fetches that owners of a partition have left open: they found less than there is room for, and what is published next is handed
-- over to them, in a channel of their own. Field `fetches` of the meta, a line for each group:
-- `<group> <consumer> <member> <epoch> <number> <handed> <room> <next>`: the number of the fetch, how many entries were handed over
-- to it, how many more messages there is room for, and the offset of the next one, of which the group has read all before.

-- What is more at once is not handed over.
local MOST_MESSAGES, MOST_BYTES = 16, 4096
-- Before each entry in the text that hands it over: no text of an entry has it.
local SEPARATOR = '\30'
local FETCH = '(%S+) (%S+) (%S+) (%d+) (%d+) (%d+) (%-?%d+) (%d+)\n'

local function fetchText(...)
  return string.format('%s %s %s %s %s %s %s %s\n', ...)
end

-- New entries of the log, read for the owner of the group. Where the group is gone, or the user may not read, they stay there.
local function readFor(log, group, consumer)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', MOST_MESSAGES, 'STREAMS', log, '>')
  return reply and not reply.err and reply[1] and reply[1][2] or {}
end

-- Somebody who is dead must be given nothing: it would look as if a handler had had it.
local function hears(channel)
  local reply = redis.pcall('PUBSUB', 'NUMSUB', channel)
  return reply[2] and tonumber(reply[2]) > 0
end

local function messagesIn(entries)
  local messages = 0
  for i = 1, #entries do
    local _, size = spanOf(entries[i][1])
    messages = messages + (size or 1)
  end
  return messages
end

-- The text that hands entries over. A foreign entry is counted, and left out: the owner misses it, and reads it.
local function givenText(head, entries)
  local texts = { head }
  for i = 1, #entries do
    local id, fields = entries[i][1], entries[i][2]
    if spanOf(id, fields) then texts[#texts + 1] = id .. ' ' .. fields[2] end
  end
  return table.concat(texts, SEPARATOR)
end

-- Hands the entries that were stored from one offset on, up to the ring with this id, over to the fetches that wait for them.
-- Returns the texts of all fetches that are open from then on. One that waits for an earlier entry stays as it is: its owner reads,
-- and learns what was handed over. One whose owner does not listen is closed.
local function handOver(log, fetches, from, ringId)
  local base, to, texts = string.match(log, '^.-}') .. ':ring:', string.match(ringId, '%d+$'), {}
  for group, consumer, member, epoch, number, handed, room, next in string.gmatch(fetches, FETCH) do
    local isNext, channel = next == from and tonumber(room) > 0, base .. member
    local isHeard = not isNext or hears(channel)
    local entries = isNext and isHeard and readFor(log, group, consumer) or {}
    if #entries > 0 then
      handed, room, next = handed + #entries, room - messagesIn(entries), to
      redis.pcall('PUBLISH', channel, givenText(string.format('given %s %s %s %s', ringId, epoch, number, handed), entries))
    end
    if isHeard then texts[#texts + 1] = fetchText(group, consumer, member, epoch, number, handed, room, next) end
  end
  return table.concat(texts)
end
