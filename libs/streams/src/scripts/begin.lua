#!lua flags=allow-oom
-- Marks that a member is about to handle a message whose process vanished before.
--
-- KEYS  1 again  2 begun
-- ARGV  1 group  2 member  3 entry id
-- returns 1 when it may be handled; 0 when the member does not hold it any more, and nothing is marked
--
-- Guarantees: a message that is not marked when its process vanishes was not begun, and counts no crash.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)[1]
if not pending or pending[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[3], 1)
return 1
