#!lua
-- Stores one batch of one producer in a partition, once.
--
-- KEYS  1 log  2 meta  3 producer  4, 5 idempotency keys of alternating windows  6 delayed
-- ARGV  1 sequence  2 idempotency window, ms  3 messages an entry at the most  4 offsets a page of the settled bitmap
--       5 messages in the log at the most, 0 for any number  6 '1' when its memory is bounded
--       7 number of the oldest window in which idempotency keys of it are claimed in other partitions, '' when none is
--       8 how long it may be sent again, ms
--       then for each message: idempotency key or '', digest of the payload, message id, envelope, when it is due: '' now,
--       '+<ms>' so much later, '<ms>' at that moment in Unix milliseconds
-- returns one line a message: '+<offset>' stored, '=<offset> <id>' known already, '!<offset> <id>' known with another
--         payload, '!@<partition>' claimed for another payload; '-' is the offset of what is delayed; or, with nothing stored,
--         'UNDECLARED' when the partition is not there, 'STALE' when a later batch of the producer is, 'UNCLAIMED' when a
--         claim would end before what is stored here, 'FULL' when the log has no room for all of it.
--
-- Guarantees: a batch that is sent again is answered from the stored reply and stores nothing; offsets are dense; an
-- idempotency key is remembered for one window at least and two at most, by Redis's clock, and never for longer than it is
-- claimed.
--!include include/entry-id.lua
--!include include/id-order.lua
--!include include/last-id.lua
--!include include/add-entry.lua

local log, meta, producer, delayed = KEYS[1], KEYS[2], KEYS[3], KEYS[6]
local sequence, window, perEntry, page = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local maxMessages, hasMaxBytes = tonumber(ARGV[5]), ARGV[6] == '1'
local claimedIn = tonumber(ARGV[7])
local FIRST, FIELDS = 9, 5
-- The last call may arrive late.
local keepMs = tonumber(ARGV[8]) + 3600000

local last = redis.call('HMGET', producer, 'sequence', 'reply')
if last[1] then
  -- A repetition writes too, so that a WAIT behind it asks for all that came before it.
  redis.call('PEXPIRE', producer, keepMs)
  if tonumber(last[1]) == sequence then return last[2] end
  if tonumber(last[1]) > sequence then return 'STALE' end
end
local state = redis.call('HMGET', meta, 'next', 'ms', 'format')
local next = state[3] == FORMAT and tonumber(state[1] or nil)
if not next or redis.call('EXISTS', log) == 0 then return 'UNDECLARED' end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local number = math.floor(now / window)
if claimedIn and claimedIn < number then return 'UNCLAIMED' end

local function dueAt(text)
  if text == '' then return now end
  return tonumber(text) + (string.sub(text, 1, 1) == '+' and now or 0)
end

-- Numbered: what is due at one moment keeps its order, and no two messages are one member.
local function delay(due, envelope)
  local number = redis.call('HINCRBY', meta, 'delayed', 1)
  redis.call('ZADD', delayed, due, string.format('%016d ', number) .. envelope)
end

-- The field '' of a bucket, which no idempotency key can be, says which window it belongs to.
local function buckets()
  local current, previous = KEYS[4 + number % 2], KEYS[4 + (number + 1) % 2]
  if tonumber(redis.call('HGET', current, '') or -1) ~= number then
    redis.call('UNLINK', current)
    redis.call('HSET', current, '', number)
    redis.call('PEXPIRE', current, window * 2)
  end
  if tonumber(redis.call('HGET', previous, '') or -1) ~= number - 1 then previous = nil end
  return current, previous
end

local keys = {}
for i = FIRST, #ARGV, FIELDS do
  if ARGV[i] ~= '' then keys[#keys + 1] = ARGV[i] end
end

local known, current = {}, nil
if #keys > 0 then
  local previous
  current, previous = buckets()
  for _, bucket in ipairs({ current, previous }) do
    local found = redis.call('HMGET', bucket, unpack(keys))
    for i, key in ipairs(keys) do known[key] = known[key] or found[i] end
  end
end

-- Whether the log has room for what is new and due now.
local function hasRoom()
  local wanted = 0
  for i = FIRST, #ARGV, FIELDS do
    if not known[ARGV[i]] and dueAt(ARGV[i + 4]) <= now then wanted = wanted + 1 end
  end
  local state = redis.call('HMGET', meta, 'first', 'full')
  if wanted == 0 then return true end
  if hasMaxBytes and state[2] then return false end
  return maxMessages == 0 or next - (tonumber(state[1] or nil) or 0) + wanted <= maxMessages
end
if (maxMessages > 0 or hasMaxBytes) and not hasRoom() then return 'FULL' end

local replies, texts, fresh, base, ms = {}, {}, {}, next, msFrom(now, state[2])
local function flush()
  if #texts > 0 then ms = addEntry(log, ms, base, texts) end
  texts, base = {}, next
end

for i = FIRST, #ARGV, FIELDS do
  local key, digest, id = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local seen = key ~= '' and known[key]
  if seen then
    local seenDigest, rest = string.match(seen, '^(%S+) (.*)$')
    -- A digest of another length is of another version of Millrace, and tells nothing.
    local isSame = seenDigest == digest or #seenDigest ~= #digest
    replies[#replies + 1] = (isSame and '=' or '!') .. rest
  else
    local due = dueAt(ARGV[i + 4])
    local offset = due > now and '-' or next
    if key ~= '' then
      known[key] = digest .. ' ' .. offset .. ' ' .. id
      fresh[#fresh + 1] = key
      fresh[#fresh + 1] = known[key]
    end
    replies[#replies + 1] = '+' .. offset
    if due > now then
      delay(due, ARGV[i + 3])
    else
      texts[#texts + 1] = ARGV[i + 3]
      next = next + 1
      if #texts >= perEntry or next % page == 0 then flush() end
    end
  end
end
flush()

redis.call('HSET', meta, 'next', next, 'ms', ms)
if #fresh > 0 then redis.call('HSET', current, unpack(fresh)) end
local reply = table.concat(replies, '\n')
redis.call('HSET', producer, 'sequence', sequence, 'reply', reply)
redis.call('PEXPIRE', producer, keepMs)
return reply
