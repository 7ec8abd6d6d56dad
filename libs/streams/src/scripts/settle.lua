#!lua flags=allow-oom
-- Settles messages that one member holds, all from one stream of one group: the log or its retry log.
--
-- KEYS  1 the stream  2 stats  3 due  4 dead letters  5 retry log  6 open  7 begun  8... pages of the settled bitmap
-- ARGV  1 group  2 member  3 'log' or 'retry'  4 offsets a page  5 '1' when this call is a repetition
--       then for each message: entry id, base offset of the entry, messages in it, offset, which page (1 for KEYS 8),
--       outcome, two values, and a text that the entry must still hold, the message's id as a rule, or ''
--       where no other can be meant; offset -1 for an entry that is no message of ours:
--         ack     'handled' | 'deduplicated' | 'discarded' | 'expired' | 'filtered', ''
--         retry   delay in ms, what to put into the retry log
--         dead    envelope, JSON of the reason
--         announce  as dead, and puts a notice of it into the retry log: a body with the reason and the dead letter's id
--         told    '', '': a notice that is done with
--         later   delay in ms, the notice: to be told again
--         release what to put into the retry log, ''
-- returns one letter a message: S settled (now, or by an earlier try of this call), D settled long ago: the group was given
--         it again, F refused: it belongs to someone else
--
-- Guarantees: only the holder settles, by (member, entry id), and by the message's id what it was given before a failover:
-- Redis may give entry ids and offsets again for others; a message is settled once; what is added (retry,
-- dead letter) is added before the holding ends; Redis being full does not keep a member from settling.
local stream, stats, due, dead, retryLog, waiting, begun = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local group, member, fromRetry, page, repeated = ARGV[1], ARGV[2], ARGV[3] == 'retry', tonumber(ARGV[4]), ARGV[5] == '1'
local FIRST, FIELDS = 6, 9

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local holding = {}
local function holds(entry)
  if holding[entry] == nil then
    local pending = redis.call('XPENDING', stream, group, entry, entry, 1)[1]
    holding[entry] = pending ~= nil and pending[2] == member
  end
  return holding[entry]
end

-- Looked at once, however many of its messages are settled: an entry may be large.
local contents = {}
local function contentOf(entry)
  if contents[entry] == nil then
    local found = redis.call('XRANGE', stream, entry, entry)[1]
    contents[entry] = found and found[2][#found[2]] or false
  end
  return contents[entry]
end

-- What is gone from the stream while it is pending cannot be another one.
local function isSame(entry, proof)
  if proof == '' then return true end
  local content = contentOf(entry)
  return not content or string.find(content, proof, 1, true) ~= nil
end

local function settledBefore(entry, bitmap, bit)
  if fromRetry or bit < 0 then return #redis.call('XRANGE', stream, entry, entry) == 0 end
  return redis.call('GETBIT', bitmap, bit) == 1
end

local counts = {}
local function count(name)
  counts[name] = (counts[name] or 0) + 1
end

local function bury(envelope, reason)
  return redis.call('XADD', dead, '*', 'm', envelope, 'e', reason)
end

local function schedule(delay, body)
  redis.call('ZADD', due, now + tonumber(delay), body)
end

-- What an outcome adds.
local add = {
  ack = function() end,
  retry = schedule,
  dead = bury,
  announce = function(envelope, reason, offset)
    local id = bury(envelope, reason)
    local body = { offset, 1, 0, 'null', cjson.encode(envelope), reason, cjson.encode(id) }
    redis.call('XADD', retryLog, '*', 'r', '[' .. table.concat(body, ',') .. ']')
  end,
  told = function() end,
  later = schedule,
  release = function(body) redis.call('XADD', retryLog, '*', 'r', body) end,
}

local function countDead(_, isOpen)
  if isOpen then count('settled') end
  count('deadLettered')
end

-- What it counts. Only what has an offset counts as settled: the lag is the offsets that are not. A notice counts nowhere:
-- its message is settled.
local tally = {
  ack = function(how, isOpen)
    if isOpen then count('settled') end
    count('handled')
    if how ~= 'handled' then count(how) end
  end,
  retry = function() count('retried') end,
  dead = countDead,
  announce = countDead,
  told = function() end,
  later = function() end,
  release = function() end,
}

-- A message that is not done and no longer in the log is kept track of: the oldest of them says how far behind the group is.
-- Returns whether the message was counted as not done until now.
local function track(outcome, entry, offset)
  local isDone = outcome == 'ack' or outcome == 'dead' or outcome == 'announce'
  if offset < 0 then return false end
  if not fromRetry then
    if isDone then return true end
    -- A dead letter of the same message that was put back waits already: what waits twice counts once.
    if redis.call('ZCOUNT', waiting, offset, offset) > 0 then count('settled')
    else redis.call('ZADD', waiting, offset, offset .. ' ' .. string.match(entry, '^%d+')) end
    return true
  end
  return isDone and redis.call('ZREMRANGEBYSCORE', waiting, offset, offset) > 0
end

local function finish(entry, base, size, bitmap)
  local first = base % page
  -- What is from the retry log, or no message of ours, has no bits to look at.
  local isEmptied = fromRetry or base < 0 or redis.call('BITCOUNT', bitmap, first, first + size - 1, 'BIT') == size
  if not isEmptied then return end
  redis.call('XACK', stream, group, entry)
  if fromRetry then
    redis.call('XDEL', stream, entry)
    redis.call('HDEL', begun, entry)
  end
  holding[entry] = false
end

local replies = {}
local function settle(i)
  local entry, offset, bitmap = ARGV[i], tonumber(ARGV[i + 3]), KEYS[7 + tonumber(ARGV[i + 4])]
  local outcome, first, second = ARGV[i + 5], ARGV[i + 6], ARGV[i + 7]
  local bit = (fromRetry or offset < 0) and -1 or offset % page
  if holds(entry) and isSame(entry, ARGV[i + 8]) then
    -- A script that fails is not undone: add, then mark, then let go, then count; whatever fails, nothing is lost.
    local open = bit < 0 or redis.call('GETBIT', bitmap, bit) == 0
    if open then add[outcome](first, second, offset) end
    if open and bit >= 0 then redis.call('SETBIT', bitmap, bit, 1) end
    local isOpen = open and track(outcome, entry, offset)
    finish(entry, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), bitmap)
    if open then tally[outcome](first, isOpen) end
    replies[#replies + 1] = (open or repeated) and 'S' or 'D'
  elseif repeated and settledBefore(entry, bitmap, bit) then
    replies[#replies + 1] = 'S'
  else
    count('fenced')
    replies[#replies + 1] = 'F'
  end
end

-- What was done before one of them failed is counted all the same.
local good, failure = pcall(function()
  for i = FIRST, #ARGV, FIELDS do settle(i) end
end)
for name, number in pairs(counts) do redis.call('HINCRBY', stats, name, number) end
if good then return table.concat(replies) end
return type(failure) == 'table' and failure or redis.error_reply(tostring(failure))
