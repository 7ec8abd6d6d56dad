-- Rings in the channel of a partition: members that wait there read. `libs/streams/src/ring/ring-text.ts` has the words.

-- A user who may not publish to the channel leaves all that was written as it is. Any key of the partition tells the channel.
local function ring(key, words)
  redis.pcall('PUBLISH', string.match(key, '^.-}') .. ':ring', words)
end
