#!lua flags=allow-oom
-- Makes a half message one of its log, as a publish does, once.
--
-- KEYS  1 log  2 meta  3 half messages  4 when they are due  5 when they were stored  6, 7 their ends, in alternating windows
--       then, where it has an idempotency key or is delayed: 8, 9 idempotency keys of alternating windows  10 delayed
-- ARGV  1 id  2 number of partitions from which its own follows, or '' when it belongs to another one  3 window of the ends, ms 
-- 4 idempotency window, ms  5 number of the
--       window in which its idempotency key is claimed in another partition, or ''  6 '1' when it is gone where it comes from
-- returns '+<offset> <id>' when it is stored, '=<offset> <id>' of the message that was stored with its idempotency key; '-' is
-- the
--         offset of a delayed one; '!<first use>' when the key was used for something else: then it is gone; or, with nothing
--         done, 'ENDED <end>', 'ENDED' when it is not known, 'FROM <partition>' when it may be elsewhere, too, 'MOVED',
--         'UNDECLARED', 'UNCLAIMED'
--
-- Guarantees: a half message is stored once, and the answer stays the same while its end is remembered; offsets stay dense; a
-- full log does not refuse it, as it had room when it was prepared; nor does a full Redis, whose memory has its text already.
--!include include/entry-id.lua
--!include include/id-order.lua
--!include include/last-id.lua
--!include include/stored-offset.lua
--!include include/add-entry.lua
--!include include/ring.lua
--!include include/delivered-to.lua
--!include include/fetch-lines.lua
--!include include/open-fetches.lua
--!include include/idempotency-windows.lua
--!include include/half-messages.lua

local log, meta = KEYS[1], KEYS[2]
local keys = { halves = KEYS[3], due = KEYS[4], ages = KEYS[5], ends = { KEYS[6], KEYS[7] } }
local id, endWindow, window = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = halfNow()

local function answerOf(ended)
  local offset, storedId, duplicate = string.match(ended, '^committed (%S+) (%S+) (%d)$')
  if offset then return (duplicate == '1' and '=' or '+') .. offset .. ' ' .. storedId end
  local use = string.match(ended, '^refused (.*)$')
  return use and '!' .. use or 'ENDED ' .. ended
end

local past = endOf(keys.ends, id, now, endWindow)
if past then
  removeHalf(keys, id)
  return answerOf(past)
end
local record = recordOf(keys.halves, id)
if not record then return 'ENDED' end
local state = redis.call('HMGET', meta, 'next', 'ms', 'format', 'partitions', 'fetches')
local next = state[3] == FORMAT and offsetOf(state[1])
if not next or redis.call('EXISTS', log) == 0 then return 'UNDECLARED' end
if ARGV[2] == '' or (state[4] and state[4] ~= ARGV[2]) then return 'MOVED' end
if record.from ~= '-' and ARGV[6] ~= '1' then return 'FROM ' .. record.from end

local terms = cjson.decode(record.terms)
local hasKey = type(terms.key) == 'string'

-- Ends it, once `add` has worked: nothing undoes the writes of a script that fails, so the end is marked first, and unmarked
-- then.
local function ended(text, add)
  local hash = markEnd(keys.ends, id, text, endWindow)
  if add then
    local good, failure = pcall(add)
    if not good then
      redis.call('HDEL', hash, id)
      error(failure)
    end
  end
  removeHalf(keys, id)
  return answerOf(text)
end

-- The earlier use of its key: a claim of this same message for another partition, from before a raise, is none.
local current, use = nil, nil
if hasKey then
  local number, claimedIn = math.floor(now / window), tonumber(ARGV[5])
  if claimedIn and claimedIn < number then return 'UNCLAIMED' end
  local uses, before
  current, uses, before = lookUpKeys({ KEYS[8], KEYS[9] }, number, window, { terms.key })
  use = uses[2] or before[2]
  if use and string.byte(use) == 64 and comparedUse(use, terms.digest) then use = nil end
end
if use then
  local isSame, place = comparedUse(use, terms.digest)
  return ended((isSame and 'committed ' or 'refused ') .. place .. (isSame and ' 1' or ''))
end

local function dueAt()
  local text = terms.due or ''
  if text == '' then return now end
  return tonumber(text) + (string.sub(text, 1, 1) == '+' and now or 0)
end
local due = dueAt()

-- A message is of use from its commit on, or from when it is due: its expiry, in the last part of the envelope, is set anew.
local function envelope()
  if not terms.ttlMs then return record.envelope end
  local head, tail = string.match(record.envelope, '^(.*,{"x":)%d+(.-)$')
  return head .. string.format('%.0f', math.max(due, now) + terms.ttlMs) .. tail
end

local function delay(text)
  local number = redis.call('HINCRBY', meta, 'delayed', 1)
  redis.call('ZADD', KEYS[10], due, string.format('%016d ', number) .. text)
  ring(log, 'delayed')
end

-- As `publish.lua` does.
local function store(text)
  local ms = addEntry(log, msFrom(now, state[2]), { base = next, size = 1, text = textOf({ text }) })
  local nextText, fetches = string.format('%.0f', next + 1), state[5]
  redis.call('HSET', meta, 'next', nextText, 'ms', ms)
  local ringId = ms .. '-' .. nextText
  if fetches and fetches ~= '' and #text <= MOST_BYTES then
    local left = handOver(log, fetches, state[1], ringId)
    if left then redis.call('HSET', meta, 'fetches', left) end
  end
  ring(log, 'log ' .. ringId)
end

local offset, text = due > now and '-' or state[1], envelope()
return ended('committed ' .. offset .. ' ' .. id .. ' 0', function()
  if offset == '-' then delay(text) else store(text) end
  if hasKey then redis.call('HSET', current, terms.key, offset .. ' ' .. terms.digest .. ' ' .. id) end
end)
