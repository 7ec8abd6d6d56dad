#!lua flags=allow-oom
-- Makes a stream of requests with its group, and a consumer of it, as far as they are not there.
--
-- KEYS  1 stream of requests
-- ARGV  1 group  2 consumer
-- returns 1 when the group was made, 0 when it was there
--
-- Guarantees: requests that are in the stream already are given to the group; a call may be repeated.
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], ARGV[1], ARGV[2])
return made.err and 0 or 1
