#!lua flags=allow-oom
-- Puts the next check of a half message off.
--
-- KEYS  1 half messages  2 when they are due
-- ARGV  1 id  2 the number of its take, or '' for an operator  3 how many checks were answered  4 how long until the next, ms;
-- '' for
--       never
-- returns 'OK'; 'GONE' when it is not there; 'STALE' when somebody else has taken it since
--!include include/idempotency-windows.lua
--!include include/half-messages.lua

local halves, due, id = KEYS[1], KEYS[2], ARGV[1]
local record = recordOf(halves, id)
if not record then return 'GONE' end
if ARGV[2] ~= '' and record.takes ~= tonumber(ARGV[2]) then return 'STALE' end
record.checks = tonumber(ARGV[3])
keepRecord(halves, id, record)
redis.call('ZADD', due, ARGV[4] == '' and '+inf' or halfNow() + ARGV[4], id)
return 'OK'
