#!lua
-- Adds requests to the stream of a service, or of an instance.
--
-- KEYS  1 stream of requests
-- ARGV  1 how many requests may be in it  then for each request: header, payload
-- returns { how many more may be in it then, for each request its entry id; '' when the stream is not there, so no instance can
--         take it; 'full' when there are too many }
--
-- Guarantees: the stream is not made; what is answered with '' or 'full' is not stored, nor is anything while Redis is full.
local room = tonumber(ARGV[1]) - redis.call('XLEN', KEYS[1])
local replies = {}
for i = 2, #ARGV, 2 do
  if room > 0 then
    replies[#replies + 1] = redis.call('XADD', KEYS[1], 'NOMKSTREAM', '*', ARGV[i], ARGV[i + 1]) or ''
    room = room - 1
  else
    replies[#replies + 1] = 'full'
  end
end
return { math.max(room, 0), replies }
