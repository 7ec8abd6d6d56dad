-- A partition remembers its producers, so that each of their batches is stored once. Records do not expire by the clock: their
-- age is counted, and grows by a few minutes at the most between two new producers. So a step of the clock makes no record
-- old, and a hash without new producers does not grow.
--
-- Fields: `<producer>` the number of its last batch and the age until which it is kept; `<producer>:<number % KEPT_REPLIES>` the
-- reply to a batch; `age` of the records, in milliseconds; `agedAt`, Unix milliseconds.

-- As many as a producer can have batches in flight.
local KEPT_REPLIES = 4
-- How long a record is kept after the last batch can be in doubt, in milliseconds: the last call may arrive late.
local KEPT_LONGER = 3600000

-- Returns the number of the producer's last batch, 0 when it is not known; until which age it is kept; the age of the records.
local function lookUp(producers, producer)
  local found = redis.call('HMGET', producers, producer, 'age')
  local last, keptUntil = string.match(found[1] or '0 0', '^(%d+) (%d+)$')
  return tonumber(last), tonumber(keptUntil), tonumber(found[2] or 0)
end

-- A new producer makes room for itself: it looks at random records and removes those that are too old. Returns their age.
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
