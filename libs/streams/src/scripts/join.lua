#!lua flags=allow-oom
-- Has Redis know a member of a group, so that whoever pauses the group knows for whom to wait.
--
-- KEYS  1 log
-- ARGV  1 group  2 member
-- returns 1 when it is new, 0 when it was known; -1 when the group is not there
--
-- Guarantees: a Redis that is full does not keep a member from joining, which XGROUP CREATECONSUMER alone would do.
local reply = redis.pcall('XGROUP', 'CREATECONSUMER', KEYS[1], ARGV[1], ARGV[2])
return type(reply) == 'table' and -1 or reply
