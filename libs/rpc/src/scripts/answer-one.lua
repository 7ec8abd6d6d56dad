#!lua flags=allow-oom
-- Settles one request, which no other instance can have, and answers it. It costs Redis half of what answer.lua does.
--
-- KEYS  1 stream of requests  2 inbox that is answered to
-- ARGV  1 group  2 entry id of the request  3 field and 4 value of the answer
-- returns a letter: 'A' answered, 'D' settled, but its inbox is not there, so the answer is dropped, 'F' settled before, with
--         nothing done
--
-- Guarantees: those of answer.lua.
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 'F' end
redis.call('XDEL', KEYS[1], ARGV[2])
-- A forged address may name a key of another type.
local added = redis.pcall('XADD', KEYS[2], 'NOMKSTREAM', '*', ARGV[3], ARGV[4])
return type(added) == 'string' and 'A' or 'D'
