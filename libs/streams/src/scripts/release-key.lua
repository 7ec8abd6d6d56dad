#!lua flags=allow-oom
-- Releases the messages of a key that were put aside: the owner of the partition handles them in their order.
--
-- KEYS  1 parked keys  2 control
-- ARGV  1 group  2 key
-- returns 1; 0 when none was put aside; -1 when they are released already
--
-- Guarantees: the owner of the partition is rung, and finds the number of the order higher than before.
--!include include/ring.lua

local state = redis.call('HGET', KEYS[1], ARGV[2])
if not state then return 0 end
if state == 'released' then return -1 end
redis.call('HSET', KEYS[1], ARGV[2], 'released')
redis.call('HINCRBY', KEYS[2], 'order', 1)
ring(KEYS[2], 'control ' .. ARGV[1])
return 1
