#!lua flags=allow-oom
-- Keeps what the owner of a partition knows of a message that stays with it, for the owner after this one.
--
-- KEYS  1 control  2 stats
-- ARGV  1 owner and its epoch, with a space between them  2 the field: `tried:<name of the message>`, or `stopped`  3 the record
--       4 '1' for an attempt that failed and comes again: it is counted
-- returns 1; 0 when it is another's partition by now, and nothing is kept
--!include include/owner.lua

if not isOwnerBy(KEYS[1], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if ARGV[4] == '1' then redis.call('HINCRBY', KEYS[2], 'retried', 1) end
return 1
