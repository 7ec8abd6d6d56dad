#!lua flags=allow-oom
-- Keeps the inbox of a process: makes it when it is not there, drops the answers that were read, and renews its time to live.
--
-- KEYS  1 inbox
-- ARGV  1 id of the last entry that was read, or '0-0'  2 time to live in milliseconds
-- returns 1 when it was made, 0 when it was there
--
-- Guarantees: an answer that was not read is not dropped; an inbox that nobody keeps vanishes by itself.
local inbox, made = KEYS[1], 0
if redis.call('EXISTS', inbox) == 0 then
  -- A stream that has become empty stays.
  redis.call('XDEL', inbox, redis.call('XADD', inbox, '*', 'made', ''))
  made = 1
else
  -- After a failover the last entries may be gone, and new ones, which nobody has read, have lower ids.
  local isAsRead = #redis.call('XRANGE', inbox, ARGV[1], ARGV[1]) > 0
  if isAsRead then redis.call('XTRIM', inbox, 'MINID', ARGV[1]) end
end
redis.call('PEXPIRE', inbox, ARGV[2])
return made
