#!lua
-- Makes a partition ready to be published to; does nothing where it is.
--
-- KEYS  1 log  2 meta
-- ARGV  1 generation to give it when it is new
-- returns the generation in force
--
-- Guarantees: the log exists without any entry or group being added; offsets go on where they were when the log or the
-- meta alone was lost: an offset that is used twice counts as settled already.
local log, meta = KEYS[1], KEYS[2]

local function nextOffset()
  if redis.call('EXISTS', log) == 0 then return 0 end
  for _, entry in ipairs(redis.call('XREVRANGE', log, '+', '-', 'COUNT', 100)) do
    local fields = {}
    for i = 1, #entry[2] - 1, 2 do fields[entry[2][i]] = tonumber(entry[2][i + 1]) end
    if fields.o and fields.n then return fields.o + fields.n end
  end
  return 0
end

redis.call('HSETNX', meta, 'generation', ARGV[1])
if redis.call('HEXISTS', meta, 'next') == 0 then redis.call('HSET', meta, 'next', nextOffset()) end
if redis.call('EXISTS', log) == 0 then
  redis.call('XGROUP', 'CREATE', log, '-', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', log, '-')
end
return redis.call('HGET', meta, 'generation')
