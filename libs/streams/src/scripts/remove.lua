#!lua flags=allow-oom
-- Removes a page of the data that a removed group, or a removed topic, has in one partition.
--
-- KEYS  1 tombstones  2 log  3 groups  4... keys to remove
-- ARGV  1 group, or '' for the topic  2 number of the removal  3 how many pending entries to let go at the most
-- returns { keys that were there, 1 when more entries are pending }; 'PAST' with nothing done when a declaration has ended this
--         removal already, or a later one has begun
--
-- Guarantees: a group or topic that was declared anew is not touched; the tombstone is there before anything else is gone; a call
-- may be repeated; waiting members are rung, so that they notice.
--!include include/ring.lua

local removed, log, groups, name, most = KEYS[1], KEYS[2], KEYS[3], ARGV[1], tonumber(ARGV[3])
local number, known = tonumber(ARGV[2]), tonumber(redis.call('HGET', removed, name) or nil) or 0
if known > number or -known >= number then return 'PAST' end

-- XGROUP DESTROY frees all pending entries at once, and blocks Redis while it does.
local function letGo()
  local pending = redis.pcall('XPENDING', log, name, '-', '+', most)
  if pending.err then return 0 end
  if #pending < most then
    redis.call('XGROUP', 'DESTROY', log, name)
    return 0
  end
  local ids = {}
  for i, item in ipairs(pending) do ids[i] = item[1] end
  redis.call('XACK', log, name, unpack(ids))
  return 1
end

redis.call('HSET', removed, name, ARGV[2])
local more = 0
if name ~= '' then
  redis.call('HDEL', groups, name)
  more = letGo()
end
local count = redis.call('UNLINK', unpack(KEYS, 4))
if name ~= '' and more == 0 then ring(log, 'control ' .. name) end
return { count, more }
