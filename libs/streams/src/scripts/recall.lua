#!lua
-- Looks up the use of an idempotency key in a partition in which it may have been used before a raise.
--
-- KEYS  1, 2 idempotency keys of alternating windows
-- ARGV  1 idempotency window, ms  2 idempotency key  3 digest of what is published
-- returns '' when no message of this partition is known to have used it for the same; '=<offset> <id>' of the one that has,
--         '!<offset> <id>' or '!@<partition>' of one that has used it for another payload; '-' is the offset of a delayed message
--!include include/idempotency-windows.lua

local window = tonumber(ARGV[1])
local time = redis.call('TIME')
local number = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / window)
local _, now, before = lookUpKeys(KEYS, number, window, { ARGV[2] })
local use = now[2] or before[2]
if not use then return '' end
local isSame, place = comparedUse(use, ARGV[3])
if not isSame then return '!' .. place end
-- A claim alone stored nothing: the partition that it names is asked, too.
return string.sub(place, 1, 1) == '@' and '' or '=' .. place
