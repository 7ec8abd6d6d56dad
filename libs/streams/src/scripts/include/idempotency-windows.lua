-- Idempotency keys, in two hashes for the current and the previous window in turn. The field '' of one, which no idempotency key
-- can be, is the number of its window.

-- Returns the hash of the current window, and the values of the keys in the current and in the previous window; the value of a
-- key is at its index plus one.
local function lookUpKeys(buckets, number, window, keys)
  local current, previous = buckets[1 + number % 2], buckets[1 + (number + 1) % 2]
  local now, before = redis.call('HMGET', current, '', unpack(keys)), redis.call('HMGET', previous, '', unpack(keys))
  if tonumber(now[1] or nil) ~= number then
    redis.call('UNLINK', current)
    redis.call('HSET', current, '', number)
    redis.call('PEXPIRE', current, window * 2)
    now = {}
  end
  -- A clock that was set back, or that of a new primary which is behind, has the next window in place of the previous one.
  if math.abs((tonumber(before[1] or nil) or math.huge) - number) ~= 1 then before = {} end
  return current, now, before
end
