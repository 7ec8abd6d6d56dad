#!lua flags=no-writes
-- Counts the half messages of partitions.
--
-- KEYS  for each partition: half messages, when they are due, when they were stored
-- returns for each { all, those that are checked no more, age of the oldest in ms or -1 }; 'FAILED <why>' when its turn failed
--!include include/try-partition.lua
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function count(halves, due, ages)
  local oldest = redis.call('ZRANGE', ages, 0, 0, 'WITHSCORES')[2]
  return { redis.call('HLEN', halves), redis.call('ZCOUNT', due, '+inf', '+inf'), oldest and math.max(0, now - oldest) or -1 }
end

local replies = {}
for i = 1, #KEYS, 3 do replies[#replies + 1] = tryPartition(count, unpack(KEYS, i, i + 2)) end
return replies
