#!lua flags=allow-oom
-- Records that a dead letter was reported to the hook, or never will be.
--
-- KEYS  1 dead letters  2 stats
-- ARGV  1 name of the hook  2 member  3 id  4 'reported', or 'failed' when it will not be reported
-- returns 1; 0 when the member does not hold it (any more), or the hook is gone, and nothing was done
--
-- Guarantees: only the holder settles it, once, however often this is called.
local dead, stats, hook, id = KEYS[1], KEYS[2], ARGV[1], ARGV[3]
local pending = redis.pcall('XPENDING', dead, hook, id, id, 1)
if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then return pending end
if not pending[1] or pending[1][2] ~= ARGV[2] then return 0 end
redis.call('XACK', dead, hook, id)
if ARGV[4] == 'failed' then redis.call('HINCRBY', stats, 'hookFailed', 1) end
return 1
