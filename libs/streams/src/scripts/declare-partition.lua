#!lua
-- Makes a partition ready to be published to; does nothing where it is.
--
-- KEYS  1 log  2 meta
-- ARGV  1 generation to give it when it is new
-- returns the generation in force
--
-- Guarantees: the log exists without any entry or group being added; offsets go on where they were when only the log
-- was lost, so that the loss shows as a jump.
local log, meta = KEYS[1], KEYS[2]

if redis.call('HSETNX', meta, 'generation', ARGV[1]) == 1 then
  redis.call('HSETNX', meta, 'next', 0)
end
if redis.call('EXISTS', log) == 0 then
  redis.call('XGROUP', 'CREATE', log, '-', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', log, '-')
end
return redis.call('HGET', meta, 'generation')
