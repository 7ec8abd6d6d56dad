#!lua
-- Claims idempotency keys for their whole topic, each in its home partition, for messages that are then stored in others.
--
-- KEYS  1, 2 idempotency keys of alternating windows
-- ARGV  1 idempotency window, ms
--       then for each claim: idempotency key, digest of what is published, partition that it goes to
-- returns the number of the current window, then one line a claim: '+' it is claimed, or '!<earlier use>' nothing is claimed: the
--         key was used for another message, '@<partition>' or '<offset> <id>'
--
-- Guarantees: a key stays claimed until the next window ends, however often it is claimed; a key is claimed for one digest;
-- messages that this partition has stored with a key count as claims of it.
--!include include/idempotency-windows.lua

local window = tonumber(ARGV[1])
local FIRST, FIELDS = 2, 3
local time = redis.call('TIME')
local number = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / window)

local keys = {}
for i = FIRST, #ARGV, FIELDS do keys[#keys + 1] = ARGV[i] end
local current, now, before = lookUpKeys(KEYS, number, window, keys)

local replies, claimed, fresh = { number }, {}, {}
for i, key in ipairs(keys) do
  local at = FIRST + (i - 1) * FIELDS
  local digest, known = ARGV[at + 1], claimed[key] or now[i + 1]
  local seen = known or before[i + 1] or '@' .. ARGV[at + 2] .. ' ' .. digest
  local isSame, place = comparedUse(seen, digest)
  if isSame and not known then
    claimed[key] = seen
    fresh[#fresh + 1] = key
    fresh[#fresh + 1] = seen
  end
  replies[#replies + 1] = isSame and '+' or '!' .. place
end
if #fresh > 0 then redis.call('HSET', current, unpack(fresh)) end
return table.concat(replies, '\n')
