#!lua flags=allow-oom
-- Removes the entries that retention no longer keeps from the log of a partition, and returns how much room there is.
--
-- KEYS  1 log  2 meta  3 groups  then for each group: stats, two pages of the settled bitmap (see ARGV 2), open, body
-- ARGV  1 offsets a page  2 number of the first of the two pages: the one in which the first retained offset lies
--       3 nothing is done when the last trim was less than so many ms ago  4 how many messages there must be room for
--       5 maxAge, ms  6 maxMessages  7 maxBytes (0 for none, each)  8 overflow  9 dropGroupAfter, ms
--       10 how old a message is at least, ms, that goes because every group is done with it; -1 when none goes for that
--       then the groups' names
-- returns { room in messages, '1' when there may be more to remove now, 'later' when a message is too young for ARGV 10 or else
--         '0', the group that keeps the oldest message or '', how many messages this run removed, then for each group from
--         which messages were dropped: name, how many }; 'AGAIN' when the groups or the page have changed; 'UNDECLARED' when the
--         partition is not there; 'RECENT' when it was trimmed just now
--
-- Guarantees: a message that a group has not settled is removed only where overflow allows it: then it counts as settled and
-- as dropped, so that the lag stays exact, and its holder is refused. A group that is known and was lost keeps everything:
-- it will be made again. While there is no group, nobody is done with any message. The text of a message that waits for another attempt is copied before its entry is removed.
--!include include/entry-id.lua
--!include include/entry-texts.lua
--!include include/id-order.lua
--!include include/last-id.lua
--!include include/stored-offset.lua
--!include include/next-offset.lua
--!include include/find-offset.lua

local log, meta, groupsKey = KEYS[1], KEYS[2], KEYS[3]
local page, firstPage, interval, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local maxAge, maxMessages, maxBytes = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local overflow, dropGroupAfter, settledAfter = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local NAMES = 11
local GROUP_FIELDS = 5
-- Messages that are removed without a look at their entries, in one call at the most; fewer than a page has.
local MOST_JUMPED = 8192
-- Entries that are read at once, and in one call: how many, those counted once more for each group that loses them, and how large.
local WALK_PAGE, WALK_MOST, WALK_MOST_BYTES = 4, 200, 131072
-- Texts, and their bytes, that are copied in one call at the most.
local MOST_COPIED, MOST_COPIED_BYTES = 64, 262144
local KEPT_SHARE, NO_LIMIT = 0.9, 1000000000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local state = redis.call('HMGET', meta, 'next', 'first', 'trimmed', 'format')
if state[4] ~= FORMAT or not state[1] or redis.call('EXISTS', log) == 0 then return 'UNDECLARED' end
local next, first = mendedNext(log, meta), tonumber(state[2] or nil) or 0
-- A clock that was set back is no reason to wait until it has caught up.
local sinceTrim = state[3] and now - tonumber(state[3])
if sinceTrim and sinceTrim >= 0 and sinceTrim < interval then return 'RECENT' end

local function fieldsOf(list)
  local fields = {}
  for i = 1, #list - 1, 2 do fields[list[i]] = list[i + 1] end
  return fields
end

-- Entries that were removed by other means are not retained either.
local function firstRetained()
  local entry = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  if not entry then return next end
  local base, size = spanOf(entry[1], entry[2])
  return base and base + size <= next and math.max(base, first) or first
end

local retained = firstRetained()
if not state[2] or retained ~= first then redis.call('HSET', meta, 'first', retained) end
if math.floor(retained / page) ~= firstPage then return 'AGAIN' end
first = retained

local groups, byName = {}, {}
for i = NAMES, #ARGV do
  local group = { name = ARGV[i], key = 3 + (i - NAMES) * GROUP_FIELDS, dropped = 0, start = redis.call('HGET', groupsKey, ARGV[i]) }
  groups[#groups + 1] = group
  byName[ARGV[i]] = group
end
for _, list in ipairs(redis.call('XINFO', 'GROUPS', log)) do
  local info = fieldsOf(list)
  local group = byName[info.name]
  if not group then return 'AGAIN' end
  group.delivered = info['last-delivered-id']
  group.pending = info.pending > 0 and redis.call('XPENDING', log, info.name)[2]
end
for _, name in ipairs(redis.call('HKEYS', groupsKey)) do
  if not byName[name] then return 'AGAIN' end
end
-- A group that was removed since the look would hold everything, and get its time of `seen` anew.
for _, group in ipairs(groups) do
  if not group.start and not group.delivered then return 'AGAIN' end
end

local function isDead(group)
  local stats = KEYS[group.key + 1]
  -- The time of a group that was never seen begins now.
  if redis.call('HSETNX', stats, 'seen', now) == 1 then return false end
  return now - tonumber(redis.call('HGET', stats, 'seen')) > dropGroupAfter
end
for _, group in ipairs(groups) do group.isDead = overflow == 'drop-group' and isDead(group) end

local function holds(group, id)
  if not group.delivered or isBefore(group.delivered, id) then return true end
  return group.pending and not isBefore(id, group.pending)
end

-- Sets the bits of messages of one entry in one page. Returns how many were not set.
local function mark(bitmap, at, n)
  local old, open = redis.call('BITFIELD', bitmap, 'SET', 'u' .. n, at, 2 ^ n - 1)[1], n
  while old > 0 do
    open, old = open - old % 2, math.floor(old / 2)
  end
  return open
end

-- Each bit that is not set yet is a message that the group loses; messages that wait for another attempt have theirs set.
local function drop(group, id, base, size)
  -- A message before the start that is still held was left by a seek, and counts until it is done.
  local isInHand = holds(group, id) and redis.call('XACK', log, group.name, id) == 1
  local offset, behind = isInHand and base or math.max(base, tonumber(group.start or base)), base + size
  while offset < behind do
    local number = math.floor(offset / page)
    local n = math.min(behind, (number + 1) * page) - offset
    group.dropped = group.dropped + mark(KEYS[group.key + 2 + number - firstPage], offset % page, n)
    offset = offset + n
  end
end

local function horizon()
  local offset = maxMessages > 0 and next + wanted - maxMessages or 0
  local bytes = maxBytes > 0 and redis.call('MEMORY', 'USAGE', log, 'SAMPLES', 5) or 0
  if bytes <= maxBytes then return offset end
  return math.max(offset, first + math.ceil((next - first) * (1 - KEPT_SHARE * maxBytes / bytes)))
end

local untilOffset, untilMs, untilPage = horizon(), maxAge > 0 and now - maxAge or 0, (firstPage + 2) * page
local holder, lastRemoved, walked, walkedBytes = '', nil, 0, 0
local copied, copiedBytes, isCopying = 0, 0, false
local removesSettled, isYoung = settledAfter >= 0 and #groups > 0, false

-- The lowest offset of a message that waits and whose text may be in the log alone, nil when there is none. Those before the
-- first that is retained were copied.
local function nextWaiting(group)
  if not group.waiting or (#group.waiting == 0 and not group.isAtEnd) then
    local from = group.lastWaiting and '(' .. group.lastWaiting or first
    local rows = redis.call('ZRANGE', KEYS[group.key + 4], from, '+inf', 'BYSCORE', 'LIMIT', 0, MOST_COPIED, 'WITHSCORES')
    group.waiting, group.isAtEnd = {}, #rows < 2 * MOST_COPIED
    for i = #rows, 2, -2 do group.waiting[#group.waiting + 1] = tonumber(rows[i]) end
    group.lastWaiting = group.waiting[1] or group.lastWaiting
  end
  return group.waiting[#group.waiting]
end

local function copyText(group, offset, text)
  if text and redis.call('HSETNX', KEYS[group.key + 5], offset, text) == 1 then
    copied, copiedBytes = copied + 1, copiedBytes + #text
  end
  table.remove(group.waiting)
end

-- Returns whether all waiting messages of an entry are copied: if not, the entry stays until the next call.
local function copyWaiting(entry, behind)
  local base, texts
  for _, group in ipairs(groups) do
    while (nextWaiting(group) or behind) < behind do
      if copied >= MOST_COPIED or copiedBytes >= MOST_COPIED_BYTES then return false end
      if not texts then
        base, texts = textsOf(entry)
        base, texts = base or 0, texts or {}
      end
      local offset = nextWaiting(group)
      copyText(group, offset, texts[offset - base + 1])
    end
  end
  return true
end

-- The groups that lose an entry when a limit removes it; nil when one of them keeps it.
local function losersOf(id)
  local losers = {}
  for _, group in ipairs(groups) do
    if holds(group, id) then
      if not (group.isDead or overflow == 'drop-oldest') then
        holder = group.name
        return nil
      end
      losers[#losers + 1] = group
    end
  end
  return losers
end

-- The groups that lose an entry that every group is done with: none; nil when one is not, or when it is too young: broadcasts, which
-- no log knows, read it a moment after the groups. An entry from before the clock was set back is not young.
local function noLosersOf(id, ms)
  if not removesSettled then return nil end
  for _, group in ipairs(groups) do
    if holds(group, id) then return nil end
  end
  isYoung = ms <= now and now - ms < settledAfter
  return not isYoung and {} or nil
end

-- Every group that still needs the entry loses it. Returns how many do; nil when it is not to be removed, or not in this call.
local function remove(entry)
  local base, size = spanOf(entry[1], entry[2])
  -- Offsets grow with the ids: a later entry with a lower offset is not one of ours.
  if not base or base < first or base + size > next then base, size = first, 0 end
  -- An entry is removed as a whole.
  if base + size > untilPage then return nil end
  local ms = tonumber(string.match(entry[1], '^%d+'))
  local isLimited = base < untilOffset or ms < untilMs
  local losers
  if isLimited then losers = losersOf(entry[1]) else losers = noLosersOf(entry[1], ms) end
  if not losers then return nil end
  isCopying = not copyWaiting(entry, base + size)
  if isCopying then return nil end
  for _, group in ipairs(losers) do drop(group, entry[1], base, size) end
  first = math.max(first, base + size)
  return #losers
end

local function lowest(id, other)
  return (not id or isBefore(other, id)) and other or id
end

-- The first entry with a message that waits and whose text may be in the log alone; nil when there is none, false when it is not
-- where the record says.
local function firstWaiting(group)
  local record = redis.call('ZRANGE', KEYS[group.key + 4], first, '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
  if not record then return nil end
  local offset, ms = string.match(record, '^(%d+) (%d+) ')
  if not offset then return false end
  local last = ms .. string.format('-%.0f', tonumber(offset) * 16 + 15)
  local entry = redis.call('XREVRANGE', log, last, '-', 'COUNT', 1)[1]
  local base, size = spanOf(entry and entry[1] or '0-0')
  return entry and base and base <= tonumber(offset) and tonumber(offset) < base + size and entry[1]
end

-- The id before which every group is done with each entry, none is young, and no message waits; nil when it is not known.
local function settledBefore()
  local isSetBack = (tonumber(redis.call('HGET', meta, 'ms') or nil) or 0) > now
  local floor = not isSetBack and string.format('%.0f-0', math.max(0, now - settledAfter)) or nil
  for _, group in ipairs(groups) do
    local waiting = firstWaiting(group)
    if not group.delivered or waiting == false then return nil end
    floor = lowest(floor, following(group.delivered))
    if group.pending then floor = lowest(floor, group.pending) end
    if waiting then floor = lowest(floor, waiting) end
  end
  return floor
end

-- Removes what every group is done with, as far as that is known without a look at the entries: the walk does the rest. Returns
-- whether there is more of it.
local hasJumped = false
local function jump()
  local floor = removesSettled and settledBefore()
  if not floor then return false end
  local entry = firstFrom(log, next, floor, 0)
  local isFar = (entry and entry.base or next) - first > MOST_JUMPED
  if isFar then
    entry = entryOf(log, next, first + MOST_JUMPED)
    if not entry or not isBefore(entry.id, floor) then return false end
    floor = entry.id
  end
  local behind = entry and entry.base or next
  if behind <= first or behind > untilPage then return false end
  redis.call('XTRIM', log, 'MINID', '=', floor)
  first, hasJumped = behind, true
  return isFar
end

local function walk()
  local from = '-'
  while walked < WALK_MOST and walkedBytes < WALK_MOST_BYTES do
    -- The first ones are read one by one: each may be as large as a message.
    local wanted = math.min(WALK_PAGE, walked + 1)
    local entries = redis.call('XRANGE', log, from, '+', 'COUNT', wanted)
    for _, entry in ipairs(entries) do
      local losers = remove(entry)
      if not losers then return false end
      lastRemoved, walked, walkedBytes = entry[1], walked + 1 + losers, walkedBytes + #(entry[2][2] or '')
    end
    if #entries < wanted then return false end
    from = '(' .. lastRemoved
  end
  return true
end
local more = jump() or walk() or isCopying or first == untilPage

local reply = { 0, more and '1' or isYoung and 'later' or '0', holder, first - retained }
for _, group in ipairs(groups) do
  if group.dropped > 0 then
    redis.call('HINCRBY', KEYS[group.key + 1], 'settled', group.dropped)
    redis.call('HINCRBY', KEYS[group.key + 1], 'dropped', group.dropped)
    reply[#reply + 1] = group.name
    reply[#reply + 1] = group.dropped
  end
end
if lastRemoved then
  redis.call('XTRIM', log, 'MINID', '=', following(lastRemoved))
end
-- Should the meta be lost, the offsets go on from the last id. If a foreign entry has that id, the last id is set to one that
-- holds the offset.
if (lastRemoved or hasJumped) and first == next then
  local last = lastIdOf(log)
  local base, size = spanOf(last)
  if not base or base + size ~= next then
    redis.call('XSETID', log, increased(string.match(last, '^%d+')) .. string.format('-%.0f', (next - 1) * 16))
  end
end
redis.call('HSET', meta, 'first', first, 'trimmed', now)
for i = 1, math.min(2, math.floor(first / page) - firstPage) do
  for _, group in ipairs(groups) do redis.call('UNLINK', KEYS[group.key + 1 + i]) end
end

local isFull = maxBytes > 0 and redis.call('MEMORY', 'USAGE', log, 'SAMPLES', 5) > maxBytes
if isFull then redis.call('HSET', meta, 'full', 1) else redis.call('HDEL', meta, 'full') end
reply[1] = isFull and 0 or maxMessages > 0 and math.max(0, maxMessages - (next - first)) or NO_LIMIT
return reply
