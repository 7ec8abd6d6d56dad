#!lua
-- Moves a group to a position in one partition: from there on everything is handled, again where it was handled before.
--
-- KEYS  1 log  2 meta  3 groups  4 stats  5 control  6 open  7 due  8 retry log  9... pages of the settled bitmap
-- ARGV  1 group  2 entry id to read after  3 offset of the first message from there
--       4 offsets a page  5 number of the page in KEYS 9  6 '1' to look only  then the members that are gone
-- returns { next to deliver until now, held by living members, waiting retries that are dropped, or -1: too many to look at,
--         next to deliver from now on } and has done nothing when one of the middle two stands in the way
--
-- Guarantees: nothing that a living member holds is given to another; what waits for a retry before the position stays;
-- what waits behind it comes again from the log alone; the lag is exact before and after; each seek has a number of its own.
--!include include/entry-id.lua
--!include include/delivered-to.lua
--!include include/offset-behind.lua

local log, meta, groups, stats, control = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local open, due, retryLog = KEYS[6], KEYS[7], KEYS[8]
local FIRST_PAGE, MAX_WAITING, LOOK, MAX_REPLAYS, FIRST_GONE = 9, 20000, 100, 20, 7
local group, after, offset = ARGV[1], ARGV[2], tonumber(ARGV[3])
local page, firstPage, isPreview = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local next = tonumber(redis.call('HGET', meta, 'next'))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function position()
  local delivered = deliveredTo(log, group)
  return delivered and offsetBehind(log, delivered, next) or next
end

local gone = {}
for i = FIRST_GONE, #ARGV do gone[ARGV[i]] = true end

local function heldByLiving()
  local held = 0
  for _, stream in ipairs({ log, retryLog }) do
    for _, owner in ipairs(redis.call('XPENDING', stream, group)[4] or {}) do
      if not gone[owner[1]] then held = held + tonumber(owner[2]) end
    end
  end
  return held
end

-- Bodies begin with the offset: '[7,2,...'.
local function isBehind(body)
  return tonumber(string.match(body or '', '^%[(%-?%d+),') or -1) >= offset
end

local function waitingBehind()
  local bodies, entries = {}, {}
  if redis.call('ZCARD', due) + redis.call('XLEN', retryLog) > MAX_WAITING then return nil end
  for _, body in ipairs(redis.call('ZRANGE', due, 0, -1)) do
    if isBehind(body) then bodies[#bodies + 1] = body end
  end
  for _, entry in ipairs(redis.call('XRANGE', retryLog, '-', '+')) do
    if isBehind(entry[2][2]) then entries[#entries + 1] = entry[1] end
  end
  return { bodies = bodies, entries = entries }
end

local function isSettled(number)
  local key = KEYS[FIRST_PAGE + math.floor(number / page) - firstPage]
  return key ~= nil and redis.call('GETBIT', key, number % page) == 1
end

-- What vanished members left before the position is still to be done; what they left behind it is read again. Offsets grow
-- with the ids: an id whose offsets do not is of no entry of ours.
local function openBefore()
  local count, from, least = redis.call('ZCOUNT', open, '-inf', '(' .. offset), '-', firstPage * page
  while true do
    local pending = redis.call('XPENDING', log, group, from, after, LOOK)
    for _, item in ipairs(pending) do
      local first, size = spanOf(item[1])
      if first and first >= least and first + size <= offset then
        for number = first, first + size - 1 do
          if not isSettled(number) then count = count + 1 end
        end
        least = first + size
      end
    end
    if #pending < LOOK then return count end
    from = '(' .. pending[#pending][1]
  end
end

local function letGo()
  while true do
    local pending = redis.call('XPENDING', log, group, '(' .. after, '+', LOOK)
    for _, item in ipairs(pending) do redis.call('XACK', log, group, item[1]) end
    if #pending < LOOK then return end
  end
end

local function clearBits(base)
  local index = FIRST_PAGE + math.floor(base / page) - firstPage
  local bit, key = base % page, KEYS[index]
  while bit % 8 ~= 0 do
    redis.call('SETBIT', key, bit, 0)
    bit = bit + 1
  end
  local rest = redis.call('STRLEN', key) - bit / 8
  if rest > 0 then redis.call('SETRANGE', key, bit / 8, string.rep('\0', rest)) end
  for i = index + 1, #KEYS do redis.call('UNLINK', KEYS[i]) end
  for number = base, offset - 1 do redis.call('SETBIT', key, number % page, 1) end
end

local function drop(waiting)
  for _, body in ipairs(waiting.bodies) do redis.call('ZREM', due, body) end
  for _, id in ipairs(waiting.entries) do
    redis.call('XACK', retryLog, group, id)
    redis.call('XDEL', retryLog, id)
  end
  redis.call('ZREMRANGEBYSCORE', open, offset, '+inf')
end

-- Higher than any before, also when a failover took the last ones back: the inbox may remember them.
local function nextReplay()
  return string.format('%.0f', math.max(now, tonumber(redis.call('HGET', control, 'replay') or 0) + 1))
end

-- Messages that an earlier seek gives again, and that are not given yet, are given again by this one. Those before the position
-- stay part of the earlier one: they may wait for another attempt.
local function markReplay(until_)
  until_ = math.max(until_, tonumber(redis.call('HGET', control, 'replayUntil') or 0))
  local replays, number = {}, nextReplay()
  for from, till, earlier in string.gmatch(redis.call('HGET', control, 'replays') or '', '(%d+) (%d+) (%d+)') do
    until_ = math.max(until_, tonumber(till))
    if tonumber(from) < offset then
      replays[#replays + 1] = table.concat({ from, math.min(tonumber(till), offset), earlier }, ' ')
    end
  end
  if #replays > MAX_REPLAYS then table.remove(replays, 1) end
  if offset < until_ then
    replays[#replays + 1] = table.concat({ offset, until_, number }, ' ')
    redis.call('HSET', control, 'replayFrom', offset, 'replayUntil', until_)
  else redis.call('HDEL', control, 'replayFrom', 'replayUntil') end
  redis.call('HSET', control, 'replay', number, 'replays', table.concat(replays, ','))
end

-- What was removed from the log since the place was looked up does not come again.
-- No entry begins more than 15 messages before one of its own, nor in another page.
local base = math.max(offsetBehind(log, after, next), offset - math.min(15, offset % page))
offset = math.max(base, offset)

local at, held, waiting = position(), heldByLiving(), waitingBehind()
local reply = { at, held, waiting and #waiting.bodies + #waiting.entries or -1, offset }
if isPreview or held > 0 or not waiting then return reply end

-- First the position, then what it makes superfluous: whatever fails in between comes twice, and nothing is lost.
redis.call('XGROUP', 'SETID', log, group, after)
letGo()
clearBits(base)
drop(waiting)
redis.call('HSET', stats, 'settled', 0 - openBefore())
redis.call('HSET', groups, group, offset)
markReplay(at)
return reply
