#!lua flags=allow-oom
-- Releases the messages of a key that were put aside: the owner of the partition handles them in their order.
--
-- KEYS  1 parked keys  2 control  3 parked  4 parked text
-- ARGV  1 group  2 key  3 'retry': the message at which the key waits begins anew; 'dead-letter': it becomes a dead letter
-- returns 1; 0 when none was put aside; -1 when they are released already
--
-- Guarantees: the owner of the partition is rung, and finds the number of the order higher than before; it learns with a message that
-- this one is to become a dead letter.
--!include include/order.lua
--!include include/ring.lua

local keys, control, parked, texts, key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[2]
local PAGE = 100

-- The first message that was given up: others, as one that was redriven, may be before it, and only came behind it.
local function findGivenUp()
  local from, to = '[' .. key .. ' ', '(' .. key .. '!'
  while true do
    local names = redis.call('ZRANGE', parked, from, to, 'BYLEX', 'LIMIT', 0, PAGE)
    for _, name in ipairs(names) do
      local text = redis.call('HGET', texts, name)
      if text and not string.find(text, '"givenUp":null,', 1, true) then return name end
    end
    if #names < PAGE then return end
    from = '(' .. names[#names]
  end
end

local state = redis.call('HGET', keys, key)
if not state then return 0 end
if state == 'released' then return -1 end
local name = findGivenUp()
if name and ARGV[3] == 'dead-letter' then redis.call('HSET', control, 'given-up:' .. name, '1')
elseif name then redis.call('HDEL', control, 'given-up:' .. name) end
redis.call('HSET', keys, key, 'released')
noteOrder(control, key)
ring(control, 'control ' .. ARGV[1])
return 1
