#!lua flags=allow-oom
-- Puts back the requests that a consumer has not begun, and removes the consumer when it holds nothing more.
--
-- KEYS  1 stream of requests
-- ARGV  1 group  2 consumer  3 consumer that holds what was put back  4 how many to put back at the most
--       then the entry ids of the requests that it has begun
-- returns { how many were put back, how many the consumer still holds }
--
-- Guarantees: only requests that the consumer holds are put back, and none that it has begun; a consumer that holds something
-- is not removed.
local stream, group, consumer, back, most = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local FIRST_BEGUN = 5

local begun = {}
for i = FIRST_BEGUN, #ARGV do begun[ARGV[i]] = true end
local pending = redis.pcall('XPENDING', stream, group, '-', '+', most + #ARGV, consumer)
if pending.err then return { 0, 0 } end
local count = 0
for _, item in ipairs(pending) do
  if count < most and not begun[item[1]] then
    redis.call('XCLAIM', stream, group, back, 0, item[1], 'JUSTID')
    count = count + 1
  end
end
local held = #pending - count
if held == 0 then redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer) end
return { count, held }
