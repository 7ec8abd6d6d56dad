-- Orders of an operator for a partition of a group: the field `order` of the group's hash `control` has the number of the last one,
-- and the fields `order:<n>` the last ones themselves, so that the owner need not look at all keys that are put aside.

-- The owner has the same number.
local KEPT_ORDERS = 64

-- Notes an order, with the key that it is for, if it is for one.
local function noteOrder(control, key)
  local number = redis.call('HINCRBY', control, 'order', 1)
  redis.call('HSET', control, 'order:' .. number % KEPT_ORDERS, key and number .. ' ' .. key or number)
end
