#!lua
-- Makes a partition ready to be published to; does nothing where it is.
--
-- KEYS  1 log  2 meta  3 groups  4 tombstones
-- ARGV  1 generation to give it when it is new  2 '1' when the groups' data about an earlier log was removed
--       3 '1' when the topic is declared anew, though it was removed  4 number of partitions of the topic
-- returns the generation in force; or, with nothing done, 'ORPHANS' when log and meta are gone and groups are known: the
--         offsets that they have settled will be used again; 'FORMAT <number>' when the log is of another format than ours;
--         'REMOVED' when the topic was removed
--
-- Guarantees: the log exists without any entry or group being added; offsets go on where they were when only the log or only
-- the meta was lost or damaged: a second message with the same offset would count as settled; the number of partitions that
-- publishers are held to never becomes less.
--!include include/entry-id.lua
--!include include/last-id.lua
--!include include/stored-offset.lua
--!include include/next-offset.lua

local log, meta = KEYS[1], KEYS[2]

-- Format 1 had no mark: it is recognised by its meta, which never had a number of partitions, or, where that is gone, by the first
-- field of its entries.
local function otherFormat()
  local format = redis.call('HGET', meta, 'format')
  if format == FORMAT then return nil end
  if format then return format end
  if redis.call('EXISTS', meta) == 1 and redis.call('HEXISTS', meta, 'partitions') == 0 then return 1 end
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  return oldest and oldest[2][1] == 'o' and 1 or nil
end

local removal = tonumber(redis.call('HGET', KEYS[4], '') or nil) or 0
if removal > 0 and ARGV[3] ~= '1' then return 'REMOVED' end
local other = otherFormat()
if other then return 'FORMAT ' .. other end
local isThere, next = redis.call('EXISTS', log) == 1, offsetOf(redis.call('HGET', meta, 'next'))
if not isThere and not next and ARGV[2] ~= '1' and redis.call('EXISTS', KEYS[3]) == 1 then return 'ORPHANS' end

if removal > 0 then redis.call('HSET', KEYS[4], '', string.format('%.0f', -removal)) end
redis.call('HSETNX', meta, 'format', FORMAT)
redis.call('HSETNX', meta, 'generation', ARGV[1])
if (tonumber(redis.call('HGET', meta, 'partitions') or nil) or 0) < tonumber(ARGV[4]) then redis.call('HSET', meta, 'partitions', ARGV[4]) end
if not next then
  redis.call('HSET', meta, 'next', nextByLog(log), 'ms', isThere and string.match(lastIdOf(log), '^%d+') or 0)
elseif isThere then mendedNext(log, meta) end
if not isThere then
  redis.call('XGROUP', 'CREATE', log, '-', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', log, '-')
end
return redis.call('HGET', meta, 'generation')
