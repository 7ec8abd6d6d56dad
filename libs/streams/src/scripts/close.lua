#!lua flags=allow-oom
-- Resolves batches of a producer that are in doubt, as they were not answered: each is reported as stored, or its number is
-- closed, as if an empty batch of that number had been stored.
--
-- KEYS  1 producers
-- ARGV  1 producer  2 number of the first batch  3 of the last  4 how long the producer may be in doubt, ms
-- returns for each batch its reply of publish.lua, or '-' when it is closed; or, with nothing done, 'GAP <last>' when the batch
--         before the first is not known, 'STALE' when a reply is not kept any more
--
-- Guarantees: a batch that is closed is never stored, however late it arrives; the script works while Redis is full.
--!include include/producers.lua

local producers, producer, first, latest = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local last, keptUntil, age = lookUp(producers, producer)
if first > last + 1 then return 'GAP ' .. last end
if first <= last - KEPT_REPLIES then return 'STALE' end
if last == 0 then age = welcome(producers, age) end

local replies = {}
for number = first, latest do
  local field = producer .. ':' .. number % KEPT_REPLIES
  if number > last then redis.call('HSET', producers, field, '-') end
  replies[#replies + 1] = redis.call('HGET', producers, field) or '-'
end
-- This writes in any case, so that a WAIT after it covers all earlier writes.
keptUntil = math.max(keptUntil, age + ARGV[4] + KEPT_LONGER)
redis.call('HSET', producers, producer, string.format('%.0f %.0f', math.max(last, latest), keptUntil))
return replies
