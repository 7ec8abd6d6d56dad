#!lua flags=allow-oom
-- Says that a process lives, and looks what others say.
--
-- KEYS  1 presence of the process, then those of others
-- ARGV  1 what it says, or '' to look only  2 how long that is kept, ms
-- returns what each of the others says, in their order; false where there is nothing
--
-- Guarantees: a Redis that is full does not make anybody look dead.
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
local words = {}
for i = 2, #KEYS do words[i - 1] = redis.call('GET', KEYS[i]) end
return words
