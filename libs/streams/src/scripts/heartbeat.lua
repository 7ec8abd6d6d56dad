#!lua flags=allow-oom
-- Says that a member lives and renews the lease of all that it holds in one partition.
--
-- KEYS  1 members  2 log  3 retry log  4 stats
-- ARGV  1 group  2 member  then for each entry held: '2' (log) or '3' (retry log), entry id, delivery count
-- returns one letter an entry: H still held, L lost to another member or gone
--
-- Guarantees: an entry that another member took over is not taken back (an unguarded XCLAIM would); the delivery count
-- stays as it is.
local group, member = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, member)
-- When the group had a member for the last time: a member that says goodbye is forgotten.
redis.call('HSET', KEYS[4], 'seen', now)

local replies = {}
for i = 3, #ARGV, 3 do
  local stream, entry = KEYS[tonumber(ARGV[i])], ARGV[i + 1]
  local pending = redis.call('XPENDING', stream, group, entry, entry, 1)[1]
  if pending and pending[2] == member and pending[4] == tonumber(ARGV[i + 2]) then
    -- It lets go of an entry that was deleted from the stream, and returns nothing for it.
    local renewed = redis.call('XCLAIM', stream, group, member, 0, entry, 'JUSTID')
    replies[#replies + 1] = #renewed > 0 and 'H' or 'L'
  else
    replies[#replies + 1] = 'L'
  end
end
return table.concat(replies)
