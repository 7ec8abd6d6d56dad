-- Half messages of a partition: stored, and in no log before they are committed. It needs idempotency-windows.lua.
--
-- A record: `<when it was stored, Unix ms> <checks that were answered> <times taken for a check> <partition that it comes from,
-- or '-'> <terms in JSON>`, a line break, the envelope. `due` has when each is to be checked, infinite for one that is checked
-- no more; `ages` has when each was stored. An end is remembered in the hash of the window in which it came, for one window at
-- least: 'committed <offset or -> <id> <1 for a duplicate>', 'refused <first use of its idempotency key>', 'rolled-back <by
-- whom>', 'moved <partition>'.

local RECORD = '^(%d+) (%d+) (%d+) (%S+) ([^\n]*)\n(.*)$'

local function halfNow()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function recordOf(halves, id)
  local text = redis.call('HGET', halves, id)
  local at, checks, takes, from, terms, envelope = string.match(text or '', RECORD)
  return at and { at = at, checks = tonumber(checks), takes = tonumber(takes), from = from, terms = terms, envelope = envelope }
end

-- Returns its text.
local function keepRecord(halves, id, record)
  local head = string.format('%s %d %d %s %s\n', record.at, record.checks, record.takes, record.from, record.terms)
  local text = head .. record.envelope
  redis.call('HSET', halves, id, text)
  return text
end

local function windowOf(now, window)
  return math.floor(now / window)
end

-- How a half message ended; nil when that is not known, or not any more. A wait for replicas covers an end that is read again.
local function endOf(ends, id, now, window)
  local current, known, before = lookUpKeys(ends, windowOf(now, window), window, { id })
  local text = known[2] or before[2]
  if not text then return nil end
  redis.call('HSET', current, id, text)
  return text
end

-- Remembers how a half message ends, before anything else is done: a failure leaves it as it was.
local function markEnd(ends, id, text, window)
  local current = lookUpKeys(ends, windowOf(halfNow(), window), window, { id })
  redis.call('HSET', current, id, text)
  return current
end

local function removeHalf(keys, id)
  redis.call('ZREM', keys.due, id)
  redis.call('ZREM', keys.ages, id)
  redis.call('HDEL', keys.halves, id)
end
