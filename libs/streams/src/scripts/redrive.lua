#!lua
-- Puts dead letters of a group back: to wait for it, or into the log for every group.
--
-- KEYS  1 dead letters  2 again  3 stats  4 open  5 log  6 meta  7 due  8 body  9 control
-- ARGV  1 'group' or 'topic'  2 messages in the log at the most, 0 for any number
--       3 group  then for each: id of the dead letter, its offset or -1, when it was published in Unix ms, the envelope
-- returns one letter each: R redriven, M not among the dead letters (any more); or 'UNDECLARED' when the place to put them is
--         gone, 'FULL' when the log has no room for all of them: nothing was done
--
-- Guarantees: each is redriven once, however often that is asked for; it is in one of the two places at any time; a message that
-- waits already does not wait twice; dead letters that were not reported to the hook are counted, and never reported.
--!include include/entry-id.lua
--!include include/entry-texts.lua
--!include include/ring.lua
--!include include/waiting.lua
--!include include/id-order.lua
--!include include/last-id.lua
--!include include/add-entry.lua
--!include include/unreported.lua

local dead, again, stats, open, log, meta, due, body, control = unpack(KEYS)
local waiting = { name = ARGV[3], log = log, again = again, due = due, open = open, body = body, control = control }
local maxMessages = tonumber(ARGV[2])
local FIRST, FIELDS = 4, 4
local now = milliseconds()

local isThere = {
  group = function() return redis.call('EXISTS', again) == 1 end,
  topic = function()
    local state = redis.call('HMGET', meta, 'next', 'format')
    return redis.call('EXISTS', log) == 1 and state[1] and state[2] == FORMAT
  end,
}

local rung
local put = {
  group = function(offset, ms, envelope)
    if offset < 0 then return waitAsIs(waiting, '[-1,1,0,null,' .. cjson.encode(envelope) .. ']') end
    local record = recordOf(waiting, offset)
    if record and not record.isVoid then return end
    -- Its text is stored: it says that it was redriven, and the log may not have it any more.
    redis.call('HSET', body, offset, envelope)
    wait(waiting, { offset = offset, ms = ms, attempt = '1', crashes = '0', first = '-', text = envelope })
    redis.call('HINCRBY', stats, 'settled', -1)
  end,
  topic = function(_, _, envelope)
    local state = redis.call('HMGET', meta, 'next', 'ms')
    local ms = addEntry(log, msFrom(now, state[2]), { base = tonumber(state[1]), size = 1, text = textOf({ envelope }) })
    redis.call('HSET', meta, 'next', state[1] + 1, 'ms', ms)
    rung = 'log ' .. ms .. '-' .. state[1] + 1
  end,
}

local function hasRoom()
  local state = redis.call('HMGET', meta, 'next', 'first')
  return tonumber(state[1]) - (tonumber(state[2] or nil) or 0) + (#ARGV - FIRST + 1) / FIELDS <= maxMessages
end

if not isThere[ARGV[1]]() then return 'UNDECLARED' end
if ARGV[1] == 'topic' and maxMessages > 0 and not hasRoom() then return 'FULL' end
local hook, replies = hookOf(dead), {}
for i = FIRST, #ARGV, FIELDS do
  local id = ARGV[i]
  if #redis.call('XRANGE', dead, id, id) == 0 then
    replies[#replies + 1] = 'M'
  else
    put[ARGV[1]](tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3])
    local isNew = isUnreported(dead, hook, id)
    redis.call('XDEL', dead, id)
    if isNew then forget(dead, stats, id) end
    redis.call('HINCRBY', stats, 'redriven', 1)
    replies[#replies + 1] = 'R'
  end
end
if rung then ring(log, rung) end
return table.concat(replies)
