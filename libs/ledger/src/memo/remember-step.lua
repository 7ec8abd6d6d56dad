#!lua flags=allow-oom
-- Stores the result of a step, unless it has one.
--
-- KEYS  1 memo of a piece of work
-- ARGV  1 name of the step  2 its result  3 how long the memo is kept from now on, ms  4 most steps
-- returns '=' and the result that counts; '!' nothing is stored: there are too many steps
--
-- Guarantees: the first result of a step stays; a call may be repeated; a full Redis does not keep a result from being stored, as
-- the step has run.

local stored = redis.call('HGET', KEYS[1], ARGV[1])
if stored then return '=' .. stored end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return '!' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return '=' .. ARGV[2]
