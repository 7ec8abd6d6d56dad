#!lua
-- Makes the inbox of a call whose result is fetched later, unless it is there, or begins its time anew.
--
-- KEYS  1 inbox
-- ARGV  1 text that names the call  2 time to live in milliseconds  3 '1' to begin its time anew where it is there
--       4 how many entries to read at the most
-- returns the newest entries of an inbox that stays as it is, newest first; none when it was made or begins anew
--
-- Guarantees: nothing in an inbox that is there is removed, nor vanishes sooner; nothing is stored while Redis is full.
local inbox = KEYS[1]
local isThere = redis.call('EXISTS', inbox) == 1
if isThere and ARGV[3] ~= '1' then return redis.call('XREVRANGE', inbox, '+', '-', 'COUNT', ARGV[4]) end
redis.call('XADD', inbox, '*', 'call', ARGV[1])
if isThere then redis.call('PEXPIRE', inbox, ARGV[2], 'GT') else redis.call('PEXPIRE', inbox, ARGV[2]) end
return {}
