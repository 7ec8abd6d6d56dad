#!lua
-- Makes a group of a partition; does nothing where it is.
--
-- KEYS  1 log  2 groups  3 again  4 meta  5 stats  6 tombstones  7 control
-- ARGV  1 group  2 where a new group begins: the entry id to read after, or '' for the earliest that is there
--       3 '1' when it is declared anew, though it was removed
-- returns 'present', 'new', or 'remade' when it was known and one of its two Redis groups was gone; 'REMOVED' with nothing done
--         when it was removed
--
-- Guarantees: a group that is made again starts at the earliest entry, never at the newest, so that it misses no message; every
-- member learns from `remade` in the control up to which offset it may be given settled messages. The log is not made here: a
-- publish to a log without its meta would count from 0.
--!include include/entry-id.lua
--!include include/offset-behind.lua

local log, groups, retryLog, group = KEYS[1], KEYS[2], KEYS[3], ARGV[1]

local function create(...)
  local reply = redis.pcall('XGROUP', 'CREATE', ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'BUSYGROUP', 1, true) then return 0 end
    error(reply)
  end
  return 1
end

-- A late group does not count messages that were trimmed earlier, and counts the whole of the entry in which it begins.
local function firstOffset(after)
  return offsetBehind(log, after, tonumber(redis.call('HGET', KEYS[4], 'next') or 0))
end

local removal = tonumber(redis.call('HGET', KEYS[6], group) or nil) or 0
if removal > 0 then
  if ARGV[3] ~= '1' then return 'REMOVED' end
  redis.call('HSET', KEYS[6], group, string.format('%.0f', -removal))
end

local known = redis.call('HEXISTS', groups, group) == 1
local isPlaced = not known and ARGV[2] ~= ''
local made = create(log, group, isPlaced and ARGV[2] or '0')
local isNew = not known and made == 1
made = made + create(retryLog, group, '0', 'MKSTREAM')
-- The counters go back to the start of the group; when the start or the counters are lost, the audit has to correct them.
if isNew then
  redis.call('HSETNX', KEYS[5], 'settled', 0)
  redis.call('HSET', KEYS[5], 'whole', 1)
elseif not known then redis.call('HDEL', KEYS[5], 'whole') end
if not known then redis.call('HSET', groups, group, isNew and firstOffset(isPlaced and ARGV[2] or '0-0') or 0) end
if made == 0 then return 'present' end
if known then redis.call('HSET', KEYS[7], 'remade', redis.call('HGET', KEYS[4], 'next') or 0) end
return known and 'remade' or 'new'
