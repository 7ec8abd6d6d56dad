#!lua flags=allow-oom
-- Takes permits of a group's rate limit, or returns unused ones (GCRA).
--
-- KEYS  1 rate: when, in Unix ms, all permits are free again; no key when they are
-- ARGV  1 messages a period  2 period, ms  3 how many are wanted; negative: returned
-- returns { how many are granted, ms until the next one when none is }
--
-- Guarantees: no more than one period's permits at once, and over time no more than the rate. A clock that is set back
-- costs one period at the most.
local messages, per, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now, each = time[1] * 1000 + time[2] / 1000, per / messages

local free = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now), now + per)
-- Half a permit, as times are rounded.
local room = math.floor((now + per - free) / each + 0.5)
local granted = math.min(wanted, room)
if granted == 0 then return { 0, math.max(1, math.ceil(free + each / 2 - now - per)) } end

local left = free + granted * each - now
if left <= 0 then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], string.format('%.3f', now + left), 'PX', math.ceil(left)) end
return { granted, 0 }
