#!lua flags=allow-oom
-- Forgets the death of an owner of a partition: Redis knows all crashes that it counts.
--
-- KEYS  1 control
-- ARGV  1 the epoch of the dead owner
-- returns 1; 0 with nothing done when it is not the last death, or is forgotten already
--
-- Guarantees: a later death stays, however late the call comes.

if redis.call('HGET', KEYS[1], 'suspects') ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], 'suspects')
