#!lua flags=allow-oom
-- Takes over requests that another consumer holds, which is gone.
--
-- KEYS  1 stream of requests
-- ARGV  1 group  2 consumer that takes over  3 consumer that is gone  4 how many to take
-- returns { '1' when it holds nothing any more, entries that were taken over }
--
-- Guarantees: one consumer holds a request at any time; the one that is gone is removed as soon as it holds nothing.
local stream, group, taker, gone, most = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local pending = redis.pcall('XPENDING', stream, group, '-', '+', most, gone)
if pending.err then return { '1', {} } end
local ids = {}
for _, item in ipairs(pending) do ids[#ids + 1] = item[1] end
-- A request that was removed though it was held is dropped by the claim.
local entries = #ids > 0 and redis.call('XCLAIM', stream, group, taker, 0, unpack(ids)) or {}
local isEmpty = #redis.call('XPENDING', stream, group, '-', '+', 1, gone) == 0
if isEmpty then redis.call('XGROUP', 'DELCONSUMER', stream, group, gone) end
return { isEmpty and '1' or '0', entries }
