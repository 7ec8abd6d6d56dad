#!lua
-- Claims idempotency keys for their whole topic, in the partition where the keys lead by themselves, for messages that are
-- then stored in others.
--
-- KEYS  1, 2 idempotency keys of alternating windows
-- ARGV  1 idempotency window, ms
--       then for each claim: idempotency key, digest of what is published, partition that it goes to
-- returns the number of the current window, then one line a claim: '+' it is claimed, or '!<what it was used for>' nothing is
--         claimed: it was used for something else, '@<partition>' or '<offset> <id>'
--
-- Guarantees: what is claimed is claimed until the next window ends, however often it is claimed; a key is claimed for one
-- digest; what the partition itself has stored with a key is looked at as claims are.
local window = tonumber(ARGV[1])
local FIRST, FIELDS = 2, 3
local time = redis.call('TIME')
local number = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / window)

-- As in publish.lua.
local current, previous = KEYS[1 + number % 2], KEYS[1 + (number + 1) % 2]
if tonumber(redis.call('HGET', current, '') or -1) ~= number then
  redis.call('UNLINK', current)
  redis.call('HSET', current, '', number)
  redis.call('PEXPIRE', current, window * 2)
end
if tonumber(redis.call('HGET', previous, '') or -1) ~= number - 1 then previous = nil end

local replies = { number }
for i = FIRST, #ARGV, FIELDS do
  local key, digest = ARGV[i], ARGV[i + 1]
  local now = redis.call('HGET', current, key)
  local seen = now or previous and redis.call('HGET', previous, key) or digest .. ' @' .. ARGV[i + 2]
  local seenDigest, use = string.match(seen, '^(%S+) (.*)$')
  -- A digest of another length is of another version of Millrace, and tells nothing.
  local isOther = seenDigest ~= digest and #seenDigest == #digest
  if not isOther and not now then redis.call('HSET', current, key, seen) end
  replies[#replies + 1] = isOther and '!' .. use or '+'
end
return table.concat(replies, '\n')
