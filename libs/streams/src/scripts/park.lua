#!lua
-- Puts a message aside, with others of its key, until an operator releases the key. It is settled by another call.
--
-- KEYS  1 control  2 parked  3 parked text  4 parked keys
-- ARGV  1 owner and its epoch, with a space between them  2 key  3 name of the message among those put aside  4 its text, how it
--       was given up, and when  5 '1' when it only comes behind others of its key that were put aside
--       6 for one that is given up: the field `tried:<name of the message>`  7 and the name of this call, which its repetitions
--       have, too
-- returns 1; 0 when it is another's partition by now, -1 when none of its key is put aside any more: nothing is put aside then
--
-- Guarantees: a call may be repeated: a message that an operator has released since, and that may be done, stays so; messages of a key keep the order of their offsets; a message that is put aside once more, as
-- when its owner vanished before it was settled, keeps the reason for which it was given up.
--!include include/owner.lua

if not isOwnerBy(KEYS[1], ARGV[1]) then return 0 end
if ARGV[5] == '1' and redis.call('HEXISTS', KEYS[4], ARGV[2]) == 0 then return -1 end
local mark = ARGV[6] and 'parked ' .. ARGV[7]
if mark and redis.call('HGET', KEYS[1], ARGV[6]) == mark then return 1 end
redis.call('HSETNX', KEYS[4], ARGV[2], 'parked')
-- The text up to its reason; nil where it has one.
local message = string.match(ARGV[4], '^(.*)"givenUp":null,')
local before = message and redis.call('HGET', KEYS[3], ARGV[3])
if not before or string.sub(before, 1, #message) ~= message then redis.call('HSET', KEYS[3], ARGV[3], ARGV[4]) end
redis.call('ZADD', KEYS[2], 0, ARGV[3])
-- It comes last: a call that fails is to be done again. It goes when the message is settled.
if mark then redis.call('HSET', KEYS[1], ARGV[6], mark) end
return 1
