#!lua flags=allow-oom
-- Lets a partition go on that stopped at a message.
--
-- KEYS  1 control
-- ARGV  1 group  2 'retry': the message begins anew; 'dead-letter': it becomes a dead letter
-- returns 1; 0 when the partition has not stopped
--
-- Guarantees: the owner of the partition is rung, and finds the number of the order higher than before; the messages behind that one come after it.
--!include include/order.lua
--!include include/ring.lua

local control, stopped = KEYS[1], redis.call('HGET', KEYS[1], 'stopped')
if not stopped then return 0 end
local name, outcome = string.match(stopped, '^(%S+) (.*)$')
redis.call('HDEL', control, 'stopped')
noteOrder(control)
if name and ARGV[2] == 'retry' then redis.call('HDEL', control, 'tried:' .. name)
elseif name then redis.call('HSET', control, 'given-up:' .. name, outcome) end
ring(control, 'control ' .. ARGV[1])
return 1
