#!lua flags=allow-oom
-- Hands unreported dead letters that one member holds over to another.
--
-- KEYS  1 dead letters
-- ARGV  1 name of the hook  2 the holder  3 the member that gets them  4 '1' when the process of the holder vanished,
--       which counts as a crash  5 how many at the most  6 how many of those that have crashed
--       then ids that the holder keeps
-- returns { id, crashes, fields } of each
--
-- Guarantees: each is held by one member; those that were removed meanwhile are dropped; a holder without any is forgotten.
local dead, hook, holder, heir = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local crashed, most, mostSuspects, FIRST_KEPT = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), 7

local kept = {}
for i = FIRST_KEPT, #ARGV do kept[ARGV[i]] = true end

-- The delivery count is the number of crashes: nothing else raises it.
local function claim(id, deliveries)
  local entry = redis.call('XCLAIM', dead, hook, heir, 0, id, 'RETRYCOUNT', deliveries)[1]
  return entry and { id, deliveries - 1, entry[2] }
end

local given, suspects = {}, 0
local pending = redis.call('XPENDING', dead, hook, '-', '+', most + #ARGV, holder)
for _, item in ipairs(pending) do
  local id, deliveries = item[1], item[4] + crashed
  local isSuspect = deliveries > 1
  if #given < most and not kept[id] and not (isSuspect and suspects >= mostSuspects) then
    if isSuspect then suspects = suspects + 1 end
    given[#given + 1] = claim(id, deliveries)
  end
end
if holder ~= heir and #redis.call('XPENDING', dead, hook, '-', '+', 1, holder) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', dead, hook, holder)
end
return given
