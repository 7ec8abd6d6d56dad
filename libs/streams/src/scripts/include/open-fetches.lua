-- New messages are handed over to the fetches that owners of the partition have left open, in channels of their own. It needs
-- entry-id.lua, delivered-to.lua and fetch-lines.lua.

-- More at once is not handed over.
local MOST_MESSAGES, MOST_BYTES = 16, 4096
-- Before each entry in the text that hands it over: no text of an entry of ours has it.
local SEPARATOR = '\30'

-- The offset behind the message with the last id that a group was given; '' where that is a foreign entry.
local function offsetBehind(id)
  if id == '0-0' then return '0' end
  local base, size = spanOf(id)
  return base and string.format('%.0f', base + size) or ''
end

local function hears(channel)
  local reply = redis.pcall('PUBSUB', 'SHARDNUMSUB', channel)
  return reply[2] and tonumber(reply[2]) > 0
end

local function givenText(head, entries)
  local texts = { head }
  for i = 1, #entries do texts[i + 1] = entries[i][1] .. ' ' .. entries[i][2][2] end
  return table.concat(texts, SEPARATOR)
end

-- Hands the entries that were stored from one offset on, for which there is the ring with this id, over to the fetches that wait for
-- them. Nobody is given more while the group has messages pending: a process that has died, or stands still, holds no more than
-- one fetch would have brought it. The group has read all before them, so what is read now is what was stored.
-- Returns false when the lines of the fetches are to stay as they are, else what is left of them: those of groups that are gone go.
local function handOver(log, fetches, from, ringId)
  local base, texts, isClosed = string.match(log, '^.-}') .. ':ring:', {}, false
  for group, consumer, member, epoch, number in string.gmatch(fetches, FETCH) do
    local last, pending = deliveredTo(log, group)
    if last then texts[#texts + 1] = fetchText(group, consumer, member, epoch, number) else isClosed = true end
    if last and pending == 0 and offsetBehind(last) == from and hears(base .. member) then
      -- A user who may not read leaves them where they are.
      local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', MOST_MESSAGES, 'STREAMS', log, '>')
      if reply and reply[1] then
        redis.pcall('SPUBLISH', base .. member, givenText('given ' .. ringId .. ' ' .. epoch .. ' ' .. number, reply[1][2]))
      end
    end
  end
  return isClosed and table.concat(texts)
end
