#!lua
-- Makes a partition ready to be published to; does nothing where it is.
--
-- KEYS  1 log  2 meta  3 groups
-- ARGV  1 generation to give it when it is new  2 '1' when what groups remember of an earlier log was removed
-- returns the generation in force; or 'ORPHANS', with nothing done, when log and meta are gone and groups are known: what
--         they have settled are offsets that begin anew
--
-- Guarantees: the log exists without any entry or group being added; offsets go on where they were when the log or the
-- meta alone was lost: an offset that is used twice counts as settled already.
local log, meta = KEYS[1], KEYS[2]

local function fieldsOf(list)
  local fields = {}
  for i = 1, #list - 1, 2 do fields[list[i]] = tonumber(list[i + 1]) end
  return fields
end

local function nextOffset()
  if redis.call('EXISTS', log) == 0 then return 0 end
  for _, entry in ipairs(redis.call('XREVRANGE', log, '+', '-', 'COUNT', 100)) do
    local fields = fieldsOf(entry[2])
    if fields.o and fields.n then return fields.o + fields.n end
  end
  -- Where a trim left nothing, it left this.
  return fieldsOf(redis.call('XINFO', 'STREAM', log))['entries-added']
end

local isGone = redis.call('EXISTS', log) == 0 and redis.call('HEXISTS', meta, 'next') == 0
if isGone and ARGV[2] ~= '1' and redis.call('EXISTS', KEYS[3]) == 1 then return 'ORPHANS' end

redis.call('HSETNX', meta, 'generation', ARGV[1])
if redis.call('HEXISTS', meta, 'next') == 0 then redis.call('HSET', meta, 'next', nextOffset()) end
if redis.call('EXISTS', log) == 0 then
  redis.call('XGROUP', 'CREATE', log, '-', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', log, '-')
end
return redis.call('HGET', meta, 'generation')
