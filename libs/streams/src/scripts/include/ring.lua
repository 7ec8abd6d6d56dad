-- Rings in the channel of a partition: members that wait there read. `libs/streams/src/ring/ring-text.ts` has the words.

-- Where the Redis user may not publish to the channel, the other writes stay. Any key of the partition holds the channel's name.
local function ring(key, words)
  redis.pcall('SPUBLISH', string.match(key, '^.-}') .. ':ring', words)
end
