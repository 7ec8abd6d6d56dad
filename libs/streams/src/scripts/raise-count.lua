#!lua flags=allow-oom
-- Reads how many partitions a topic has, and begins or finishes the raise of that number.
--
-- KEYS  1 topics
-- ARGV  1 topic  2 'look', 'begin' or 'finish'  then, to begin or finish: 3 number that is raised  4 number that it is raised to
-- returns { the text that stands, or '' when the topic is not known; Redis's time, Unix ms }. The text is the number, `>` and
--         the one that it is being raised to, and for each earlier number, the last one first, ` <number>@<Unix ms of the end of its raise>`
--
-- Guarantees: a raise begins and ends from the number that the caller saw, and nothing changes otherwise; so each step may be
-- repeated, and of two raises at once one begins.
local topics, topic, step, from, to = KEYS[1], unpack(ARGV)
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local text = redis.call('HGET', topics, topic) or ''
local count, target, earlier = string.match(text, '^(%d+)>?(%d*)(.*)$')

local function replace(by)
  text = by
  redis.call('HSET', topics, topic, text)
end

if step == 'begin' and count == from and target == '' then replace(from .. '>' .. to .. earlier)
elseif step == 'finish' and count == from and target == to then replace(to .. ' ' .. from .. '@' .. now .. earlier) end
return { text, now }
