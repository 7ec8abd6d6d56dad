-- Idempotency keys, in two hashes for the current and the previous window in turn. The field '' of one, which no idempotency key
-- can be, is the number of its window. The use of a key is '<offset> <digest> <id>' of a stored message, '-' for the offset of a
-- delayed one, or '@<partition> <digest>': claimed for a message of another partition.

-- Returns the hash of the current window, and the values of the keys in the current and in the previous window; the value of a
-- key is at its index plus one.
local function lookUpKeys(buckets, number, window, keys)
  local current, previous = buckets[1 + number % 2], buckets[1 + (number + 1) % 2]
  local now, before = redis.call('HMGET', current, '', unpack(keys)), {}
  if tonumber(now[1] or nil) ~= number then
    redis.call('UNLINK', current)
    redis.call('HSET', current, '', number)
    redis.call('PEXPIRE', current, window * 2)
    now = {}
  end
  -- A clock that was set back, or that of a new primary which is behind, has the next window in place of the previous one.
  local other = tonumber(redis.call('HGET', previous, '') or nil) or math.huge
  if math.abs(other - number) == 1 then before = redis.call('HMGET', previous, '', unpack(keys)) end
  return current, now, before
end

-- Returns whether the use of a key has the digest, and the rest of it: '<offset> <id>' or '@<partition>'.
local function comparedUse(use, digest)
  local place, stored, id = string.match(use, '^(%S+) (%S+)(.*)$')
  -- Older versions of Millrace wrote the digest first.
  if #stored ~= #digest then place, stored = stored, place end
  -- Some of them wrote one of another length, which cannot be compared.
  return stored == digest or #stored ~= #digest, place .. id
end
