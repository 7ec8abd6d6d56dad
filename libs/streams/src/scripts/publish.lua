#!lua
-- Stores one batch of one producer in a partition, once.
--
-- KEYS  1 log  2 meta  3 producers; where a message has an idempotency key or is due later also 4, 5 idempotency keys of
--       alternating windows  6 delayed
-- ARGV  1 producer  2 number of the batch, from 1; of messages that were forwarded by handlers instead: 1 '>' and their lane with its
--       generation  2 the numbers of the first and of the last one, with a space between them  3 how long the producer may be in doubt about it, ms  4 how many messages it
--       has  5 messages an entry at the most  6 offsets a page of the settled bitmap  7 messages in the log at the most, 0 for
--       any number  8 '1' when its memory is bounded  9 number of partitions from which its own follows for each message
--       then, with 6 keys: 10 idempotency window, ms  11 number of the oldest window in which idempotency keys of it are claimed
--       in other partitions, '' when none is  12 '' when no message has an idempotency key, else in JSON, of the messages that
--       have one: a list of the keys, a text with a line '<digest> <id>' for each, and, unless all have one, a list of
--       their places in the batch, from 1  13 '' when all are due now, else a list in JSON: for each message '' now, '+<ms>' so much
--       later, '<ms>' at that moment in Unix milliseconds
--       then entries of as many messages as one may have, the last one of the rest: `[` their envelopes, with `,` and a line
--       break between them, `]`
-- returns '+<offset>' of the first when all are stored, one after the other; else one line a message: '+<offset>' stored,
--         '=<offset> <id>' known already, '!<offset> <id>' known with another payload, '!@<partition>' claimed for another
--         payload; '-' is the offset of a delayed message; or, with nothing stored, 'GAP <last>' when the batch before it is not
--         there, 'KNOWN <number>' when forwarded messages up to that number are there, 'STALE' when its number was stored or closed, 'UNDECLARED' when the partition is not there, 'MOVED' when the topic
--         has another number of partitions, 'UNCLAIMED' when a claim would end before the keys stored here do, 'FULL' when the
--         log has no room for the whole batch.
--
-- Guarantees: forwarded messages are stored once, when whoever sends them has had an answer for all lower numbers that belong to
-- this partition; the batches of a producer are stored in the order of their numbers, each once, however many are on their way and
-- however late one arrives; offsets are dense; an idempotency key is remembered for one window at least and two at most, by
-- Redis's clock, and never for longer than it is claimed; what is stored is handed over to the fetches that owners of the partition
-- have left open, unless it is much, or something of their group is pending.
--!include include/entry-id.lua
--!include include/producers.lua
--!include include/stored-offset.lua
--!include include/ring.lua
--!include include/delivered-to.lua
--!include include/fetch-lines.lua
--!include include/open-fetches.lua

local log, meta, producers = KEYS[1], KEYS[2], KEYS[3]
local sequence, count, perEntry, page = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local isPlain, isBounded = #KEYS == 3, ARGV[7] ~= '0' or ARGV[8] == '1'

local state = isBounded and redis.call('HMGET', meta, 'next', 'ms', 'format', 'partitions', 'fetches', 'first', 'full')
  or redis.call('HMGET', meta, 'next', 'ms', 'format', 'partitions', 'fetches')
local next = state[3] == FORMAT and offsetOf(state[1])
if not next then return 'UNDECLARED' end
if state[4] and state[4] ~= ARGV[9] then return 'MOVED' end
-- Forwarded messages have no producer that could ask later: the last number that was stored of their lane stays, for each number of
-- partitions by which they were routed. It is never swept.
local lane, first, latest, last, keptUntil, age
if string.byte(ARGV[1]) == 62 then
  lane, first, latest = ARGV[1] .. '/' .. ARGV[9], string.match(ARGV[2], '^(%d+) (%d+)$')
  local known = redis.call('HGET', producers, lane)
  if known and tonumber(first) <= tonumber(known) then
    -- This writes, so that a WAIT after it covers the earlier write.
    redis.call('HSET', producers, lane, known)
    return 'KNOWN ' .. known
  end
else
  last, keptUntil, age = lookUp(producers, ARGV[1])
  if sequence ~= last + 1 then return sequence <= last and 'STALE' or 'GAP ' .. last end
end
local time = redis.call('TIME')

local FIRST = isPlain and 10 or 14
local function bytesFrom(first)
  local bytes = 0
  for i = first, #ARGV do bytes = bytes + #ARGV[i] end
  return bytes
end

-- Every batch that is stored, or known already, ends here.
local function ended(reply, ms)
  local nextText = string.format('%.0f', next)
  local ringId, isNew, fetches = ms .. '-' .. nextText, nextText ~= state[1], state[5]
  redis.call('HSET', meta, 'next', nextText, 'ms', ms)
  if isNew and fetches and fetches ~= '' and next - state[1] <= MOST_MESSAGES and bytesFrom(FIRST) <= MOST_BYTES then
    local left = handOver(log, fetches, state[1], ringId)
    if left then redis.call('HSET', meta, 'fetches', left) end
  end
  if lane then
    redis.call('HSET', producers, lane, latest)
  else
    if last == 0 then age = welcome(producers, age) end
    keptUntil = math.max(keptUntil, age + ARGV[3] + KEPT_LONGER)
    local record = string.format('%s %.0f', ARGV[2], keptUntil)
    redis.call('HSET', producers, ARGV[1], record, ARGV[1] .. ':' .. sequence % KEPT_REPLIES, reply)
  end
  if isNew then ring(log, 'log ' .. ringId) end
  return reply
end

-- The fast path, for one entry with nothing to look up, as most are. The general path below handles a log that is gone, and an
-- id that is taken.
if isPlain and not isBounded and count <= perEntry and next % page + count <= page then
  local ms = string.format('%s%03d', time[1], time[2] / 1000)
  if state[2] and state[2] > ms then ms = state[2] end
  local id = string.format('%s-%.0f', ms, next * 16 + count - 1)
  local added = redis.pcall('XADD', log, 'NOMKSTREAM', id, 'm', ARGV[10])
  if type(added) == 'string' then
    next = next + count
    return ended('+' .. state[1], ms)
  end
end
--!include include/id-order.lua
--!include include/last-id.lua
--!include include/add-entry.lua
--!include include/idempotency-windows.lua

local maxMessages, hasMaxBytes = tonumber(ARGV[7]), ARGV[8] == '1'
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', log) == 0 then return 'UNDECLARED' end

local function isFull(wanted)
  if wanted == 0 or not isBounded then return false end
  if hasMaxBytes and state[7] then return true end
  return maxMessages > 0 and next - (tonumber(state[6] or nil) or 0) + wanted > maxMessages
end

local texts, ms = {}, msFrom(now, state[2])
local function flush()
  if #texts > 0 then ms = addEntry(log, ms, { base = next - #texts, size = #texts, text = textOf(texts) }) end
  texts = {}
end

local function add(text)
  texts[#texts + 1] = text
  next = next + 1
  if #texts >= perEntry or next % page == 0 then flush() end
end

local function messagesOf(entry)
  return string.gmatch(string.sub(entry, 2, -2) .. ',\n', '(.-),\n')
end

-- Entries go in as they are, up to one that would cross from one page into the next: from there on they are packed anew.
local function storeAll()
  local rest = count
  for i = FIRST, #ARGV do
    local size = math.min(perEntry, rest)
    if #texts == 0 and next % page + size <= page then
      ms = addEntry(log, ms, { base = next, size = size, text = ARGV[i] })
      next = next + size
    else
      for text in messagesOf(ARGV[i]) do add(text) end
    end
    rest = rest - size
  end
  flush()
end

if isPlain then
  if isFull(count) then return 'FULL' end
  local reply = '+' .. next
  storeAll()
  return ended(reply, ms)
end

local window = tonumber(ARGV[10])
local number, claimedIn = math.floor(now / window), tonumber(ARGV[11])
if claimedIn and claimedIn < number then return 'UNCLAIMED' end
local keys, identities, places = unpack(ARGV[12] == '' and { {}, '' } or cjson.decode(ARGV[12]))
local dues = ARGV[13] == '' and {} or cjson.decode(ARGV[13])
local current, uses, usesBefore = nil, {}, {}
if #keys > 0 then current, uses, usesBefore = lookUpKeys({ KEYS[4], KEYS[5] }, number, window, keys) end

-- Digest and id of each message that has a key.
local identityOf, size = {}, 0
for identity in string.gmatch(identities, '[^\n]+') do
  size = size + 1
  identityOf[size] = identity
end

-- A claim of this same message for another partition, from before a raise, stored nothing.
local function isOwnClaim(use, i)
  return string.byte(use) == 64 and comparedUse(use, string.match(identityOf[i], '^%S+'))
end

-- By its key, the stored use of a message; false for a key that comes with this batch.
local known, areAllNew = {}, ARGV[13] == ''
for i = 1, #keys do
  local key, use = keys[i], uses[i + 1] or usesBefore[i + 1] or false
  if use and isOwnClaim(use, i) then use = false end
  if use or known[key] ~= nil then areAllNew = false end
  known[key] = known[key] or use
end

local fresh = {}
-- The stored use of a key: offset, digest, id.
local function remember(i, offset)
  local use = offset .. ' ' .. identityOf[i]
  fresh[#fresh + 1] = keys[i]
  fresh[#fresh + 1] = use
  return use
end

local function keep()
  if #fresh > 0 then redis.call('HSET', current, unpack(fresh)) end
end

-- The usual batch is as quick as one without keys but for its keys.
if areAllNew then
  if isFull(count) then return 'FULL' end
  local base = next
  storeAll()
  for i = 1, #keys do remember(i, base + (places and places[i] or i) - 1) end
  keep()
  return ended('+' .. base, ms)
end

-- The index of its key, by the place of a message.
local indexes = {}
for i = 1, #keys do indexes[places and places[i] or i] = i end

local function useOf(message)
  local i = indexes[message]
  return i and known[keys[i]]
end

local function dueAt(message)
  local text = dues[message] or ''
  if text == '' then return now end
  return tonumber(text) + (string.sub(text, 1, 1) == '+' and now or 0)
end

-- Numbered: messages that are due at one moment keep their order, and no two are the same member.
local hasRung = false
local function delay(due, envelope)
  local number = redis.call('HINCRBY', meta, 'delayed', 1)
  redis.call('ZADD', KEYS[6], due, string.format('%016d ', number) .. envelope)
  if not hasRung then ring(log, 'delayed') end
  hasRung = true
end

local wanted = 0
for message = 1, count do
  if not useOf(message) and dueAt(message) <= now then wanted = wanted + 1 end
end
if isFull(wanted) then return 'FULL' end

-- Returns the reply line of a message whose idempotency key is known.
local function compare(message, use)
  local given = string.match(identityOf[indexes[message]], '^%S+')
  local isSame, place = comparedUse(use, given)
  return (isSame and '=' or '!') .. place
end

local function store(message, text)
  local i, use, due = indexes[message], useOf(message), dueAt(message)
  if use then return compare(message, use) end
  local offset = due > now and '-' or next
  if i then known[keys[i]] = remember(i, offset) end
  if due > now then delay(due, text) else add(text) end
  return '+' .. offset
end

local replies = {}
for i = FIRST, #ARGV do
  for text in messagesOf(ARGV[i]) do replies[#replies + 1] = store(#replies + 1, text) end
end
flush()
keep()
return ended(table.concat(replies, '\n'), ms)
