#!lua flags=allow-oom
-- Records that a process lives, and reads the records of others.
--
-- KEYS  1 presence of the process, then those of others
-- ARGV  1 the record to write, or '' to read only  2 how long it is kept, ms
-- returns the record of each of the others, in their order; false where there is none
--
-- Guarantees: a full Redis does not make a process look dead.
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
local words = {}
for i = 2, #KEYS do words[i - 1] = redis.call('GET', KEYS[i]) end
return words
