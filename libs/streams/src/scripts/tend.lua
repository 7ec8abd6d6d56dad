#!lua flags=allow-oom
-- Does for groups in partitions what is due, and tells who holds what.
--
-- KEYS  for each partition of a group: log, retry log, due, stats
-- ARGV  1 how many retries to move at the most, in each  then for each: group
-- returns for each { retries moved, ms until the next is due or -1 when none waits, then for each member that Redis knows of:
--         name, entries that it holds of the log, and of the retry log }; 'UNDECLARED' when the group is gone from one of the two,
--         'FAILED <why>' when its turn failed
--
-- Guarantees: a retry is in the queue or in the retry log at any time; the time of this call is when the group had a member; a
-- partition that fails keeps no other from its turn.
--!include include/each-apart.lua
--!include include/ring.lua

local FIRST, FIELDS = 2, 4
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Adds what members hold of one stream; returns false when the group is gone.
local function addHeld(members, stream, group, place)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
  if consumers.err then return false end
  for _, consumer in ipairs(consumers) do
    local name = consumer[2]
    if not members[name] then
      members[name] = { 0, 0 }
      members[#members + 1] = name
    end
    members[name][place] = consumer[4]
  end
  return true
end

local function moveDue(due, retryLog, group)
  local bodies, id = redis.call('ZRANGE', due, '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1]), nil
  for _, body in ipairs(bodies) do
    id = redis.call('XADD', retryLog, '*', 'r', body)
    redis.call('ZREM', due, body)
  end
  if id then ring(retryLog, 'again ' .. group .. ' ' .. id) end
  local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
  return #bodies, first[2] and math.max(0, tonumber(first[2]) - now) or -1
end

local function tend(log, retryLog, due, stats, group)
  local members = {}
  if not addHeld(members, log, group, 1) or not addHeld(members, retryLog, group, 2) then return 'UNDECLARED' end
  redis.call('HSET', stats, 'seen', now)
  local reply = { moveDue(due, retryLog, group) }
  for _, name in ipairs(members) do
    reply[#reply + 1] = name
    reply[#reply + 1] = members[name][1]
    reply[#reply + 1] = members[name][2]
  end
  return reply
end

local replies = {}
for i = FIRST, #ARGV do
  local first = (i - FIRST) * FIELDS
  replies[#replies + 1] = apart(tend, KEYS[first + 1], KEYS[first + 2], KEYS[first + 3], KEYS[first + 4], ARGV[i])
end
return replies
