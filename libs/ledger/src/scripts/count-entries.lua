#!lua flags=no-writes
-- Counts the entries of shards of a ledger.
--
-- KEYS  for each shard 1 in progress  2, 3 done
-- returns { in progress, done }; entries that are done are counted until they are removed, some time after they count no more

local function entriesIn(key)
  return math.max(0, redis.call('HLEN', key) - 1)
end

local inProgress, done = 0, 0
for i = 1, #KEYS, 3 do
  inProgress = inProgress + entriesIn(KEYS[i])
  done = done + entriesIn(KEYS[i + 1]) + entriesIn(KEYS[i + 2])
end
return { inProgress, done }
