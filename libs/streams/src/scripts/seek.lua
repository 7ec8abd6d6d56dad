#!lua
-- Moves a group to a position in one partition: every message from there on is handled, a second time if need be.
--
-- KEYS  1 log  2 meta  3 groups  4 stats  5 control  6 open  7 due  8 again  9 body  10 begun  11... pages of the settled bitmap
-- ARGV  1 group  2 entry id to read after  3 offset of the first message from there
--       4 offsets a page  5 number of the page in KEYS 11  6 '1' to look only  7 the consumer of the owners of an ordered group
--       8 '1' to have messages handled again though a ledger knows them as done
--       then the members that are gone; that consumer among them when no owner handles what it holds
-- returns { next to deliver until now, held by living members, waiting retries that are dropped, next to deliver from now on }
--         and has done nothing when anything is held; or 'SWEEPING', when messages that an earlier seek made void are left: some
--         of them were removed
--
-- Guarantees: no message that a living member holds is given to another; messages that wait for a retry before the position
-- stay; those that wait behind it are void, and are read again from the log alone; the lag is exact before and after; each seek
-- has its own number.
--!include include/entry-id.lua
--!include include/entry-texts.lua
--!include include/delivered-to.lua
--!include include/offset-behind.lua
--!include include/ring.lua
--!include include/waiting.lua
--!include include/sweep.lua

local log, meta, groups, stats, control = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local open, again, body, begun = KEYS[6], KEYS[8], KEYS[9], KEYS[10]
local FIRST_PAGE, LOOK, MAX_REPLAYS, FIRST_GONE = 11, 100, 20, 9
local group, after, offset = ARGV[1], ARGV[2], tonumber(ARGV[3])
local page, firstPage, isPreview, owners = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1', ARGV[7]
local waiting = { name = group, log = log, again = again, due = KEYS[7], open = open, body = body, control = control }
local next = tonumber(redis.call('HGET', meta, 'next'))

sweep(waiting)
if seekOf(waiting).position then return 'SWEEPING' end

local function position()
  local delivered = deliveredTo(log, group)
  return delivered and offsetBehind(log, delivered, next) or next
end

local gone = {}
for i = FIRST_GONE, #ARGV do gone[ARGV[i]] = true end

local function heldByLiving()
  local held = 0
  for _, stream in ipairs({ log, again }) do
    for _, owner in ipairs(redis.call('XPENDING', stream, group)[4] or {}) do
      if not gone[owner[1]] then held = held + tonumber(owner[2]) end
    end
  end
  return held
end

-- Copies begin with the offset: '[7,2,...'.
local function isBehind(copy)
  local number = tonumber(string.match(copy or '', '^%[(%-?%d+),') or -1)
  return number >= offset
end

local function isSettled(number)
  local key = KEYS[FIRST_PAGE + math.floor(number / page) - firstPage]
  return key ~= nil and redis.call('GETBIT', key, number % page) == 1
end

-- Messages that vanished members held before the position are put back; those behind it are read again. Offsets grow
-- with the ids: an id whose offsets do not grow is not one of ours.
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

-- A member that is gone may hold the entry of the position. Its open messages before the position are not read again: they wait.
-- In an ordered group they are read again, since nothing of their key may overtake them.
local unread = {}
local function keepBefore(base, entry)
  local pending = base < offset and entry and redis.call('XPENDING', log, group, entry, entry, 1)[1]
  if not pending then return end
  local ms = string.match(entry, '^%d+')
  for number = base, offset - 1 do
    if pending[2] == owners then unread[#unread + 1] = not isSettled(number) and number or nil
    elseif not isSettled(number) then
      wait(waiting, { offset = number, ms = ms, attempt = '1', crashes = '0', first = '-' }, milliseconds())
    end
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
  for _, number in ipairs(unread) do redis.call('SETBIT', key, number % page, 0) end
end

-- The owner of the partition in an ordered group begins anew; what it knew of messages behind the position is void.
local function takeFromOwner()
  redis.call('HDEL', control, 'owner')
  for _, field in ipairs(redis.call('HKEYS', control)) do
    local kind, name = string.match(field, '^(%a+-?%a*):(%d+)$')
    local isNote = kind == 'tried' or kind == 'given-up'
    if field == 'stopped' or isNote and tonumber(name) >= offset then redis.call('HDEL', control, field) end
  end
  ring(control, 'control ' .. group)
end

-- The copies in `again`, at the most as many as it has room for and members that are gone held.
local function dropCopies()
  local from = '-'
  while true do
    local entries = redis.call('XRANGE', again, from, '+', 'COUNT', LOOK)
    for _, entry in ipairs(entries) do
      if isBehind(entry[2][2]) then
        redis.call('XACK', again, group, entry[1])
        redis.call('XDEL', again, entry[1])
        redis.call('HDEL', begun, entry[1])
        redis.call('HDEL', control, 'tried:' .. entry[1], 'given-up:' .. entry[1])
      end
    end
    if #entries < LOOK then return end
    from = '(' .. entries[#entries][1]
  end
end

-- Messages that wait behind the position are swept in pages, from here on and by `tend`.
local function drop()
  dropCopies()
  if redis.call('ZCOUNT', open, offset, '+inf') == 0 then return end
  redis.call('HSET', control, 'void', string.format('%.0f', offset))
  waiting.seek = nil
  sweep(waiting)
end

-- Higher than all earlier numbers, also those that a failover took back: the inbox may remember them.
local function nextReplay()
  return string.format('%.0f', math.max(milliseconds(), tonumber(redis.call('HGET', control, 'replay') or 0) + 1))
end

-- Messages that an earlier seek replays, and that are not delivered yet, are replayed by this one. Those before the position
-- stay part of the earlier seek: they may wait for another attempt.
local function markReplay(until_)
  until_ = math.max(until_, tonumber(redis.call('HGET', control, 'replayUntil') or 0))
  local replays, number = {}, nextReplay()
  for part in string.gmatch(redis.call('HGET', control, 'replays') or '', '[^,]+') do
    local from, till, earlier = string.match(part, '^(%d+) (%d+) (%d+.*)$')
    until_ = math.max(until_, tonumber(till))
    if tonumber(from) < offset then
      replays[#replays + 1] = table.concat({ from, math.min(tonumber(till), offset), earlier }, ' ')
    end
  end
  if #replays > MAX_REPLAYS then table.remove(replays, 1) end
  if offset < until_ then
    replays[#replays + 1] = table.concat({ offset, until_, number, ARGV[8] == '1' and '1' or nil }, ' ')
    redis.call('HSET', control, 'replayFrom', offset, 'replayUntil', until_)
  else redis.call('HDEL', control, 'replayFrom', 'replayUntil') end
  redis.call('HSET', control, 'replay', number, 'replays', table.concat(replays, ','))
end

-- Entries that were removed since the position was looked up are not read again.
-- No entry begins more than 15 messages before one of its own, nor in another page.
local behind, entry = offsetBehind(log, after, next)
local base = math.max(behind, offset - math.min(15, offset % page))
offset = math.max(base, offset)

local at, held, dropped = position(), heldByLiving(), redis.call('ZCOUNT', open, offset, '+inf')
local reply = { at, held, dropped, offset }
if isPreview or held > 0 then return reply end

-- The position first, then the removals: a failure in between has messages handled twice, and loses none.
redis.call('XGROUP', 'SETID', log, group, after)
keepBefore(base, entry)
letGo()
clearBits(base)
markReplay(at)
redis.call('HSET', stats, 'settled', 0 - openBefore() - #unread)
redis.call('HSET', groups, group, offset)
drop()
if gone[owners] then takeFromOwner() end
return reply
