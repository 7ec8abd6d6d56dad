#!lua flags=no-writes
-- Reads what a group has done with one message of the log, at one moment.
--
-- KEYS  1 log  2 groups  3 the page of the settled bitmap that has the message  4 open  5 messages put aside
-- ARGV  1 group  2 entry of the message  3 its bit in the page  4 its offset  5 its name among those put aside, '' without a key
-- returns { offset at which the group started or false, last entry delivered to it or false, the bit, the record of the message
--         that waits for another attempt or false, 1 when it is put aside or else 0, the consumer that holds its entry or false }
--!include include/delivered-to.lua

local log, groups, bitmap, open, parked = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, entry, offset = ARGV[1], ARGV[2], ARGV[4]
local delivered = deliveredTo(log, group)
local pending = delivered and redis.call('XPENDING', log, group, entry, entry, 1)[1]
local isParked = ARGV[5] ~= '' and redis.call('ZSCORE', parked, ARGV[5])
return {
  redis.call('HGET', groups, group), delivered or false, redis.call('GETBIT', bitmap, ARGV[3]),
  redis.call('ZRANGE', open, offset, offset, 'BYSCORE')[1] or false, isParked and 1 or 0, pending and pending[2] or false,
}
