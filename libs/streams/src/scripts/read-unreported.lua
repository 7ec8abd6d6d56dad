#!lua flags=allow-oom
-- Reads dead letters that were not reported to the hook of a group yet, and returns which members hold others.
--
-- KEYS  dead letters of each partition
-- ARGV  1 name of the hook  2 member  3 how many to read at the most, of all partitions
-- returns for each { how many the member held before, names of the others that hold some, new ones: { id, fields }, ... };
--         'UNDECLARED' when the hook is gone; 'FAILED <why>' when its turn failed
--
-- Guarantees: dead letters that were read are held by the member until they are reported, handed over or removed; a partition
-- that fails does not stop the others.
--!include include/try-partition.lua

local hook, member, left = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function holdersIn(consumers)
  local own, others = 0, {}
  for _, consumer in ipairs(consumers) do
    local name, pending = consumer[2], consumer[4]
    if name == member then own = pending
    elseif pending > 0 then others[#others + 1] = name end
  end
  return own, others
end

local function read(dead)
  if left == 0 then return {} end
  local reply = redis.call('XREADGROUP', 'GROUP', hook, member, 'COUNT', left, 'STREAMS', dead, '>')
  local entries = reply and reply[1][2] or {}
  left = left - #entries
  return entries
end

local function isGone(failure)
  return string.find(failure, 'NOGROUP', 1, true) or string.find(failure, 'no such key', 1, true)
end

local function look(dead)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', dead, hook)
  if consumers.err and isGone(consumers.err) then return 'UNDECLARED' end
  if consumers.err then error(consumers) end
  local own, others = holdersIn(consumers)
  return { own, others, read(dead) }
end

local replies = {}
for i, dead in ipairs(KEYS) do replies[i] = tryPartition(look, dead) end
return replies
