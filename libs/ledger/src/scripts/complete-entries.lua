#!lua flags=allow-oom
-- Records that entries of a ledger which are in progress are done.
--
-- KEYS  for each shard 1 in progress  2, 3 done
-- ARGV  1 how long an entry is kept, ms
--       then for each: the number of its shard, its id, the token under which it is in progress; 'd' for one with a result, 't' for
--       one whose result is too large; the result, or ''
-- returns for each '+' it is done, by this call or by an earlier one with the token; '-' nothing is recorded: it is not in progress
--         under this token; '!<why>' it failed
--
-- Guarantees: only the last token of an entry completes it; a call may be repeated, and the first result stays; what is done is
-- kept for at least as long as it says; a full Redis does not keep a result from being recorded; a shard that fails does not stop
-- the others.
--!include include/shards.lua

local KEEP = tonumber(ARGV[1])
local FIRST, FIELDS = 2, 5

-- Returns the hash that takes what is done now.
local function currentBucket(shard)
  local starts = {}
  for i, bucket in ipairs(shard.buckets) do starts[i] = tonumber(redis.call('HGET', bucket, '') or 0) or 0 end
  local latest = starts[1] >= starts[2] and 1 or 2
  if now < starts[latest] + KEEP then return shard.buckets[latest] end
  local other = shard.buckets[3 - latest]
  redis.call('UNLINK', other)
  redis.call('HSET', other, '', string.format('%.0f', now))
  redis.call('PEXPIRE', other, 2 * KEEP + GRACE_MS)
  return other
end

-- Whether an entry is done under this token.
local function isDone(entry, token)
  return entry and string.sub(entry, 3, #token + 3) == token .. ' '
end

-- Whether an earlier call has completed an entry under this token.
local function wasDone(shard, id, token)
  return isDone(redis.call('HGET', shard.buckets[1], id), token) or isDone(redis.call('HGET', shard.buckets[2], id), token)
end

local function complete(shard, replies)
  local standing, recorded, fresh, ended = redis.call('HMGET', shard.progress, unpack(shard.ids)), {}, {}, {}
  for i, entry in ipairs(shard.entries) do
    local id, token = entry.id, ARGV[entry.at]
    local isFirst = not recorded[id] and isUnder(standing[i], token)
    if isFirst then
      recorded[id] = ARGV[entry.at + 1] .. ' ' .. token .. ' ' .. ARGV[entry.at + 2]
      fresh[#fresh + 1] = id
      fresh[#fresh + 1] = recorded[id]
      ended[#ended + 1] = id
    end
    replies[entry.number] = (isFirst or isDone(recorded[id], token) or wasDone(shard, id, token)) and '+' or '-'
  end
  if #fresh == 0 then return end
  redis.call('HSET', currentBucket(shard), unpack(fresh))
  redis.call('HDEL', shard.progress, unpack(ended))
end

return answersOf(shardsOf(FIRST, FIELDS), complete)
