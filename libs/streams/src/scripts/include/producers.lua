-- What a partition remembers of its producers, so that each of their batches is stored once. Nothing of it goes by the clock:
-- the age of the records is counted, and grows by a few minutes at the most between two newcomers. So a step of the clock
-- makes no record old, and a hash without newcomers does not grow.
--
-- Fields: `<producer>` the number of its last batch and the age until which it is kept; `<producer>:<number % KEPT_REPLIES>` the
-- reply to a batch; `age` of the records, in milliseconds; `agedAt`, Unix milliseconds.

-- As many as a producer has batches in flight.
local KEPT_REPLIES = 4
-- A record is kept for so long after the last batch may be in doubt, in milliseconds: the last call may arrive late.
local KEPT_LONGER = 3600000

-- Returns the number of its last batch, 0 for one that is not known; until when it is kept; the age of the records.
local function lookUp(producers, producer)
  local found = redis.call('HMGET', producers, producer, 'age')
  local last, keptUntil = string.match(found[1] or '0 0', '^(%d+) (%d+)$')
  return tonumber(last), tonumber(keptUntil), tonumber(found[2] or 0)
end

-- A newcomer makes room for itself: of some records, taken at random, it removes those that are too old. Returns their age.
local function welcome(producers, age)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local agedAt = tonumber(redis.call('HGET', producers, 'agedAt') or now)
  age = age + math.max(0, math.min(now - agedAt, 300000))
  redis.call('HSET', producers, 'age', age, 'agedAt', now)
  local some = redis.call('HRANDFIELD', producers, 100, 'WITHVALUES')
  for i = 1, #some, 2 do
    local keptUntil = tonumber(string.match(some[i + 1], '^%d+ (%d+)$') or nil)
    if keptUntil and keptUntil < age then
      redis.call('HDEL', producers, some[i])
      for kept = 0, KEPT_REPLIES - 1 do redis.call('HDEL', producers, some[i] .. ':' .. kept) end
    end
  end
  return age
end
