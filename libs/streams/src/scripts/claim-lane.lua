#!lua
-- Gives a member a lane of the forward log of a group: its own, else one whose member is not among those that live, else a new one.
--
-- KEYS  1 control
-- ARGV  1 member  2... other members that live, as far as the member knows
-- returns the number of the lane
--
-- Guarantees: a lane has one member. One that is taken from a living member costs that member another lane: what it has added
-- stays in the order of its numbers.
local control, member = KEYS[1], ARGV[1]
local living = {}
for i = 2, #ARGV do living[ARGV[i]] = true end

local count = tonumber(redis.call('HGET', control, 'lanes') or nil) or 0
local free
for lane = 0, count - 1 do
  local owner, rest = string.match(redis.call('HGET', control, 'lane:' .. lane) or '- - 0', '^(%S+) (.*)$')
  if owner == member then return lane end
  if not free and not living[owner or '-'] then free = { lane, rest or '- 0' } end
end
if not free then
  free = { count, '- 0' }
  redis.call('HSET', control, 'lanes', count + 1)
end
redis.call('HSET', control, 'lane:' .. free[1], member .. ' ' .. free[2])
return free[1]
