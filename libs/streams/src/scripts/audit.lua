#!lua flags=allow-oom
-- Finds messages that are gone from Redis before a group was done with them, and counts them off, once.
--
-- KEYS  for each partition of a group: log, meta, groups, stats, open, due, retry log
-- ARGV  for each: group
-- returns for each how many were found; -1 when it cannot be told now: too much is in hand or waits, or the group is not there;
--         'UNDECLARED' when what is known of the partition or of the group is gone; 'FAILED <why>' when its turn failed
--
-- Every offset since the group's start is settled, waits for another attempt (open), is in some member's hands (pending), or
-- was not delivered yet. What is none of these is lost. Guarantees: nothing is counted that may still be handled; counters
-- that were lost themselves are made good and count nothing as lost.
--!include include/each-apart.lua
--!include include/entry-id.lua
--!include include/last-id.lua
--!include include/stored-offset.lua
--!include include/next-offset.lua
--!include include/delivered-to.lua
--!include include/offset-behind.lua

local MAX_PENDING, MAX_WAITING, PAGE, FIELDS = 1000, 20000, 100, 7

-- An entry counts whole, though some of its messages may be settled, and so does one that is none of ours: too many in hand
-- only put the finding off.
local function inHand(log, group)
  local count, from = 0, '-'
  while true do
    local pending = redis.call('XPENDING', log, group, from, '+', PAGE)
    for _, item in ipairs(pending) do
      local _, size = spanOf(item[1])
      count = count + (size or 0)
      if count > MAX_PENDING then return nil end
    end
    if #pending < PAGE then return count end
    from = '(' .. pending[#pending][1]
  end
end

local function countBodies(due, retryLog)
  return redis.call('ZCARD', due) + redis.call('XLEN', retryLog)
end

-- Bodies begin with the offset: '[7,2,...'.
local function bodiesByOffset(due, retryLog)
  local bodies = {}
  for _, body in ipairs(redis.call('ZRANGE', due, 0, -1)) do bodies[string.match(body, '^%[(%-?%d+),') or '-1'] = body end
  for _, entry in ipairs(redis.call('XRANGE', retryLog, '-', '+')) do
    local body = entry[2][2] or ''
    bodies[string.match(body, '^%[(%-?%d+),') or '-1'] = body
  end
  return bodies
end

-- What should wait for another attempt and is nowhere.
local function orphaned(open, due, retryLog)
  local waiting = redis.call('ZCARD', open)
  if waiting <= countBodies(due, retryLog) then return 0 end
  if waiting > MAX_WAITING then return nil end
  local offsets, count = bodiesByOffset(due, retryLog), 0
  for _, member in ipairs(redis.call('ZRANGE', open, 0, -1)) do
    if not offsets[string.match(member, '^%d+')] then count = count + redis.call('ZREM', open, member) end
  end
  return count
end

local function isMessage(offset, body)
  return tonumber(offset) >= 0 and pcall(cjson.decode, body)
end

-- What waits for another attempt is not lost, though the record of it may be: it is made again.
local function recorded(open, due, retryLog)
  if countBodies(due, retryLog) > MAX_WAITING then return nil end
  local time, count = redis.call('TIME'), 0
  local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  for offset, body in pairs(bodiesByOffset(due, retryLog)) do
    if redis.call('ZCOUNT', open, offset, offset) == 0 and isMessage(offset, body) then
      count = count + redis.call('ZADD', open, offset, offset .. ' ' .. now)
    end
  end
  return count
end

local function audit(group, log, meta, groups, stats, open, due, retryLog)
  local start, after = redis.call('HGET', groups, group), deliveredTo(log, group)
  if not after then return -1 end
  if not start or redis.call('HEXISTS', meta, 'next') == 0 then return 'UNDECLARED' end
  local next = mendedNext(log, meta)
  local held, gone = inHand(log, group), orphaned(open, due, retryLog)
  if not held or not gone then return -1 end
  local done = next - tonumber(start) - redis.call('ZCARD', open) - held - (next - offsetBehind(log, after, next))
  -- What was counted since the counters were lost is not all: the mark says that they go back to the start of the group.
  if redis.call('HSETNX', stats, 'whole', 1) == 1 then
    redis.call('HSET', stats, 'settled', math.max(0, done))
    return 0
  end
  local lost = done - tonumber(redis.call('HGET', stats, 'settled') or 0)
  if lost <= 0 then return 0 end
  local waiting = recorded(open, due, retryLog)
  if not waiting then return -1 end
  lost = math.max(0, lost - waiting)
  redis.call('HINCRBY', stats, 'settled', lost)
  redis.call('HINCRBY', stats, 'lost', lost)
  return lost
end

local replies = {}
for i, group in ipairs(ARGV) do
  local first = (i - 1) * FIELDS
  replies[i] = apart(audit, group, unpack(KEYS, first + 1, first + FIELDS))
end
return replies
