#!lua flags=allow-oom
-- Registers a member of a group, so that a pause of the group knows which members to wait for.
--
-- KEYS  1 log
-- ARGV  1 group  2 member
-- returns 1 when it is new, 0 when it was known; -1 when the group is not there
--
-- Guarantees: the other members are rung; a member can join while Redis is full, which XGROUP CREATECONSUMER alone would refuse.
--!include include/ring.lua

local reply = redis.pcall('XGROUP', 'CREATECONSUMER', KEYS[1], ARGV[1], ARGV[2])
if reply == 1 then ring(KEYS[1], 'control ' .. ARGV[1]) end
return type(reply) == 'table' and -1 or reply
