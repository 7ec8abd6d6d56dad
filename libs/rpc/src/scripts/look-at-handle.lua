#!lua flags=no-writes
-- Reads the inbox of a call whose result is fetched later.
--
-- KEYS  1 inbox
-- ARGV  1 how many entries to read at the most
-- returns { Redis's time in Unix milliseconds, its newest entries, newest first }; no entries when it is not there
local now = redis.call('TIME')
return { now[1] * 1000 + math.floor(now[2] / 1000), redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1]) }
