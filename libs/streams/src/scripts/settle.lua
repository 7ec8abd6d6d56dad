#!lua flags=allow-oom
-- Settles messages that one member holds, all from one stream of one group: the log or `again`.
--
-- KEYS  1 the stream  2 stats  3 due  4 dead letters  5 again  6 open  7 begun  8 log  9 body  10 control
--       11... pages of the settled bitmap; where something is forwarded, behind them the forward log
-- ARGV  1 group  2 the member or, in ordered mode, with spaces between them: the consumer of all owners, the member, the epoch
--       under which it owns the partition, names of messages whose notes go, with commas between them
--       3 'log' or 'again'  4 offsets a page  5 '1' when this call is a repetition, else '0'; where messages and jobs are forwarded,
--       with spaces between them: that, the member's lane, the member, and how many messages of these forward something: the last
--       arguments are three for each of them, its offset or, in `again`, its entry, how many it forwards, their texts
--       6 numbers of the pages, in the order of their KEYS, separated by commas
--       7 entries of the stream that the member holds at the most  8 how many entries are settled whole
--       then their ids in their order: all that they carry is handled, and none of it was settled before, as far as the
--       member knows; then for each other run of messages: entry id, base offset of the entry, messages in it, offset of the
--       first, how many, outcome, two values, and a text that the entry must still hold, the message's id as a rule, or ''
--       where no other can be meant; offset -1 for an entry that is no message of ours; outcomes but `ack` are of one message:
--         ack     'handled' | 'deduplicated' | 'discarded' | 'expired' | 'filtered' | 'parked' (by `park.lua` before), ''
--         retry   delay in ms, how it waits: its next attempt, crashes and the time of its first failure in Unix ms or '-', with
--                 spaces between them; for an entry without an offset the text that comes into `again`
--         dead    envelope, JSON of the reason
--         release how it waits, ''
-- returns 'LANE' with nothing done when the lane is another's; else one letter an entry, then one a run: S settled (now, or by an earlier try of this call), D at least one was settled
--         long ago: the group was given it again, F refused: it belongs to someone else, or waits for a member; where something is
--         forwarded, behind that with spaces between them, for each entry of the forward log that was added its name
--
-- Guarantees: what a message forwards is added when it is settled, by the same call, and never again; only the holder settles, checked by (member, entry id), and by the message id where the delivery is from before a
-- failover: Redis may use its entry id and offset again for another message; in ordered mode only the owner of the partition
-- settles, under its epoch; a message is settled once: it is marked first, and the mark is removed when its retry or dead letter
-- cannot be added; a full Redis does not keep a member from settling, unless the member asks that outcomes that add something be
-- refused (`refusedWhenFull`).
--!include include/entry-id.lua
--!include include/ring.lua
--!include include/entry-texts.lua
--!include include/waiting.lua
--!include include/owner.lua
--!include include/forwards.lua

local stream, stats, dead, again, begun = KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[7]
local waiting = { name = ARGV[1], log = KEYS[8], again = again, due = KEYS[3], open = KEYS[6], body = KEYS[9], control = KEYS[10] }
local group, consumer, fromAgain, page, repeated = ARGV[1], string.match(ARGV[2], '^%S+'), ARGV[3] ~= 'log', tonumber(ARGV[4]), string.byte(ARGV[5]) == 49
local held, whole = tonumber(ARGV[7]), tonumber(ARGV[8])
local FIRST_PAGE, FIRST, FIELDS = 11, 9, 9
-- Bits that fit into one number of Lua.
local WORD = 48

-- By offset or entry, what a message forwards: how many, and the texts. `forwarding` has those that are settled by this call, in
-- their order: it is added behind all marks, and before the entries are let go of.
local forwards, forwarding, forwarded, lane, behindRuns = {}, {}, {}, nil, #ARGV
if #ARGV[5] > 1 then
  local name, member, many = string.match(ARGV[5], ' (%S+) (%S+) (%d+)$')
  lane = laneOf(waiting.control, name, member)
  if not lane then return 'LANE' end
  behindRuns = #ARGV - 3 * many
  for i = behindRuns + 1, #ARGV, 3 do forwards[ARGV[i]] = { tonumber(ARGV[i + 1]), ARGV[i + 2] } end
end

local bitmaps, pages = {}, 0
for number in string.gmatch(ARGV[6], '%d+') do
  bitmaps[tonumber(number)] = KEYS[FIRST_PAGE + pages]
  pages = pages + 1
end

local token, noted = string.match(ARGV[2], ' (%S+ %d+) ?(%S*)$')
local isOwner = token == nil or isOwnerBy(waiting.control, token)

local holding = {}
local function holds(entry)
  if not isOwner then return false end
  if holding[entry] == nil then
    local pending = redis.call('XPENDING', stream, group, entry, entry, 1)[1]
    holding[entry] = pending ~= nil and pending[2] == consumer
  end
  return holding[entry]
end

-- One query for all entries that are settled whole. An entry that did not fit into the reply has a query of its own.
local function learnHoldings()
  if whole < 2 or not isOwner then return end
  local pending = redis.call('XPENDING', stream, group, ARGV[FIRST], ARGV[FIRST + whole - 1], held, consumer)
  for _, item in ipairs(pending) do holding[item[1]] = true end
  if #pending >= held then return end
  for i = FIRST, FIRST + whole - 1 do holding[ARGV[i]] = holding[ARGV[i]] or false end
end

-- Marks a run of offsets in one page, and adds those to `before` that were marked already. Returns how many were not.
local function mark(first, n, before)
  local bitmap = bitmaps[math.floor(first / page)]
  local at, left, open = first % page, n, n
  while left > 0 do
    local bits = math.min(left, WORD)
    local old = redis.call('BITFIELD', bitmap, 'SET', 'u' .. bits, at, string.format('%.0f', 2 ^ bits - 1))[1]
    for i = bits - 1, 0, -1 do
      if old == 0 then break end
      if old % 2 == 1 then before[first + n - left + i], open = true, open - 1 end
      old = math.floor(old / 2)
    end
    at, left = at + bits, left - bits
  end
  return open
end

local function isMarked(first, n)
  local bitmap, at = bitmaps[math.floor(first / page)], first % page
  return redis.call('BITCOUNT', bitmap, at, at + n - 1, 'BIT') == n
end

-- A message that others put back is marked as well, and waits; one that is done does not.
local function waits(first, n)
  return first >= 0 and redis.call('ZCOUNT', waiting.open, first, first + n - 1) > 0
end

local counts = {}
local function count(name, n)
  counts[name] = (counts[name] or 0) + (n or 1)
end

local replies = {}

-- Adds what messages forward, in one entry.
local function addAll(names)
  local texts, number = {}, 0
  for i = 1, #names do
    number, texts[i] = number + forwards[names[i]][1], forwards[names[i]][2]
  end
  local keys = { control = waiting.control, forward = KEYS[#KEYS] }
  forwarded[#forwarded + 1] = addForwards(keys, lane, texts, number)
end

-- Notes messages that were marked by this call and forward something.
local function forward(first, n, before)
  if not lane then return end
  for offset = first, first + n - 1 do
    local name = string.format('%.0f', offset)
    if forwards[name] and not before[offset] then forwarding[#forwarding + 1] = name end
  end
end

local function anyOf(first, n, marked)
  for offset = first, first + n - 1 do
    if marked[offset] then return true end
  end
end

-- Entries that follow each other are marked together, and counted at once: a later page may fail.
local done = {}
local function settleWhole()
  local before, first, n = {}, nil, 0
  local function close()
    if not first then return end
    local open = mark(first, n, before)
    count('settled', open)
    count('handled', open)
    forward(first, n, before)
    first, n = nil, 0
  end
  for i = FIRST, FIRST + whole - 1 do
    local base, size = spanOf(ARGV[i])
    if holds(ARGV[i]) then
      done[#done + 1] = ARGV[i]
      if first and (base ~= first + n or base % page == 0) then close() end
      first, n = first or base, n + size
    end
  end
  close()
  for i = FIRST, FIRST + whole - 1 do
    local base, size = spanOf(ARGV[i])
    if holding[ARGV[i]] then replies[#replies + 1] = (repeated or not anyOf(base, size, before)) and 'S' or 'D'
    elseif repeated and isMarked(base, size) and not waits(base, size) then replies[#replies + 1] = 'S'
    else
      count('fenced', size)
      replies[#replies + 1] = 'F'
    end
  end
end

-- Read once, however many of its messages are settled: an entry may be large.
local contents = {}
local function contentOf(entry)
  if contents[entry] == nil then
    local found = redis.call('XRANGE', stream, entry, entry)[1]
    contents[entry] = found and found[2][#found[2]] or false
  end
  return contents[entry]
end

-- An entry that is gone from the stream while it is pending cannot be another one.
local function isSame(entry, proof)
  if proof == '' then return true end
  local content = contentOf(entry)
  return not content or string.find(content, proof, 1, true) ~= nil
end

-- A foreign entry has no mark, and stays in the log: no member holds it any more.
local function settledBefore(entry, first, n)
  if fromAgain then return #redis.call('XRANGE', stream, entry, entry) == 0 end
  if first < 0 then return #redis.call('XPENDING', stream, group, entry, entry, 1) == 0 end
  return isMarked(first, n)
end

local function bury(envelope, reason)
  return redis.call('XADD', dead, '*', 'm', envelope, 'e', reason)
end

-- The parts of a copy in `again`; nil when it was deleted.
local function copyIn(entry)
  local good, parts = pcall(cjson.decode, contentOf(entry) or '')
  return good and parts or nil
end

-- A message of `again` without a record, as when it is done elsewhere, has only its copy.
local function parkCopy(entry, message, due)
  local copy = copyIn(entry)
  if not copy then return end
  message.ms, message.first = 0, tonumber(message.firstFailedAt) or '-'
  waitAsIs(waiting, copyOf(message, copy[5]), due)
end

-- A message that waits twice, as when its dead letter was redriven, counts once.
local function park(how, due, item)
  local attempt, crashes, firstFailedAt = string.match(how, '^(%d+) (%d+) (%S+)$')
  if not attempt then return waitAsIs(waiting, how, due) end
  local message = { offset = item.offset, attempt = attempt, crashes = crashes, firstFailedAt = firstFailedAt }
  local record = fromAgain and recordOf(waiting, item.offset)
  if fromAgain and not record then return parkCopy(item.entry, message, due) end
  message.ms = record and record.ms or string.match(item.entry, '^%d+')
  if fromAgain and not due then message.text = (copyIn(item.entry) or {})[5] end
  message.first = sinceStored(message.ms, firstFailedAt)
  if wait(waiting, message, due) and not fromAgain then count('settled') end
end

local function schedule(delay, how, item)
  park(how, milliseconds() + tonumber(delay), item)
end

-- Adds the retry or the dead letter of an outcome.
local add = {
  retry = schedule,
  dead = bury,
  release = function(how, _, item) park(how, nil, item) end,
}

-- Counts an outcome. Only messages with an offset count as settled: the lag is the number of offsets that are not.
local tally = {
  ack = function(how, open, n)
    count('settled', open)
    if how == 'parked' then return end
    count('handled', n)
    if how ~= 'handled' then count(how, n) end
  end,
  retry = function() count('retried') end,
  dead = function(_, open)
    count('settled', open)
    count('deadLettered')
  end,
  release = function() end,
}

local function isFinal(outcome) return outcome == 'ack' or outcome == 'dead' end

-- Returns how many of `n` messages were counted as not done until now.
local function track(outcome, first, n)
  if first < 0 or not isFinal(outcome) then return 0 end
  if fromAgain then return forget(waiting, first) and 1 or 0 end
  return n
end

local function letGo(entry)
  redis.call('XACK', stream, group, entry)
  if fromAgain then
    redis.call('XDEL', stream, entry)
    redis.call('HDEL', begun, entry)
  end
  holding[entry] = false
end

-- Entries of the log -> their base and size. They are let go of after all runs: until then the member holds them whole.
local touched = {}
local function letGoOfFinished()
  for entry, span in pairs(touched) do
    if isMarked(span[1], span[2]) then letGo(entry) end
  end
end

local function finish(entry, base, size)
  -- Entries of `again` and foreign ones have no bits.
  if fromAgain or base < 0 then letGo(entry) else touched[entry] = { base, size } end
end

-- Returns how many of the messages were open until now. A failure to add leaves everything as it was.
local function markAndAdd(outcome, values, item)
  local first, n = item.offset, item.n
  local hasBits = not fromAgain and first >= 0
  local before = {}
  local open = hasBits and mark(first, n, before) or n
  if outcome == 'ack' then
    if not hasBits and forwards[item.entry] then addAll({ item.entry }) elseif hasBits then forward(first, n, before) end
  end
  if open == 0 or not add[outcome] then return open end
  local good, failure = pcall(add[outcome], values[1], values[2], item)
  if good then return n end
  if hasBits then redis.call('SETBIT', bitmaps[math.floor(first / page)], first % page, 0) end
  error(failure)
end

local function settle(i)
  local entry, base, size, first, n = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  local outcome, values = ARGV[i + 5], { ARGV[i + 6], ARGV[i + 7] }
  if holds(entry) and isSame(entry, ARGV[i + 8]) then
    local open = markAndAdd(outcome, values, { entry = entry, offset = first, n = n })
    local counted = open > 0 and track(outcome, first, open) or 0
    finish(entry, base, size)
    if open > 0 then tally[outcome](values[1], counted, open) end
    replies[#replies + 1] = (open == n or repeated) and 'S' or 'D'
  elseif repeated and settledBefore(entry, first, n) and not (isFinal(outcome) and waits(first, n)) then replies[#replies + 1] = 'S'
  else
    count('fenced', n)
    replies[#replies + 1] = 'F'
  end
end

-- Runs that succeeded before one failed are counted, and let go of, all the same.
local good, failure = pcall(function()
  learnHoldings()
  settleWhole()
  for i = FIRST + whole, behindRuns, FIELDS do settle(i) end
end)
-- A message whose forwards cannot be added is not settled either: it is given again.
if #forwarding > 0 then
  local added, why = pcall(addAll, forwarding)
  if not added then
    good, failure = false, why
    for _, name in ipairs(forwarding) do
      redis.call('SETBIT', bitmaps[math.floor(name / page)], name % page, 0)
      count('settled', -1)
      count('handled', -1)
    end
  end
end
if good and #done > 0 then redis.call('XACK', stream, group, unpack(done)) end
letGoOfFinished()
if isOwner then
  for name in string.gmatch(noted or '', '[^,]+') do redis.call('HDEL', waiting.control, 'tried:' .. name, 'given-up:' .. name) end
end
for name, number in pairs(counts) do
  if number ~= 0 then redis.call('HINCRBY', stats, name, number) end
end
if good then return table.concat(replies) .. (#forwarded > 0 and ' ' .. table.concat(forwarded, ' ') or '') end
return type(failure) == 'table' and failure or redis.error_reply(tostring(failure))
