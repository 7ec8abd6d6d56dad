#!lua flags=no-writes
-- Lists the consumers of the group of a stream of requests.
--
-- KEYS  1 stream of requests
-- ARGV  1 group
-- returns for each consumer its name, and how many requests it holds; nothing when the stream or the group is not there
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
local peers = {}
if consumers.err then return peers end
for _, consumer in ipairs(consumers) do
  for i = 1, #consumer, 2 do
    if consumer[i] == 'name' or consumer[i] == 'pending' then peers[#peers + 1] = consumer[i + 1] end
  end
end
return peers
