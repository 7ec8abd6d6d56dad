#!lua flags=allow-oom
-- Removes dead letters of a group for good.
--
-- KEYS  1 dead letters  2 stats
-- ARGV  their ids
-- returns how many were there
--
-- Guarantees: dead letters that were not reported to the hook are counted, and never reported.
--!include include/id-order.lua
--!include include/unreported.lua

local dead, stats = KEYS[1], KEYS[2]
local hook, removed = hookOf(dead), 0
for _, id in ipairs(ARGV) do
  local isNew = isUnreported(dead, hook, id)
  if redis.call('XDEL', dead, id) == 1 then
    removed = removed + 1
    if isNew then forget(dead, stats, id) end
  end
end
return removed
