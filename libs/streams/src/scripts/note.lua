#!lua flags=allow-oom
-- Keeps what the owner of a partition knows of a message that stays with it, for the owner after this one.
--
-- KEYS  1 control  2 stats  3 where the message shows whether it is settled: the page of the settled bitmap, `again`, or the texts of
--       messages that wait for an operator
-- ARGV  1 owner and its epoch, with a space between them  2 the field: `tried:<name of the message>`, or `stopped`  3 the record
--       4 '1' for an attempt that failed and comes again: it is counted  5 `bit <number>` in that page,
--       `entry <id>` of `again`, `text <name>`, or '' without key 3
--       6 for `stopped`: the name of this call, which its repetitions have, too
-- returns 1; 0 when it is another's partition by now, when the message is settled, or when this call is a repetition and an operator
--         has let the partition go on since the first one: then nothing is kept
--
-- Guarantees: a note that arrives when its message is settled, by a call that was sent after it, leaves nothing behind: nobody
-- would remove it.
--!include include/owner.lua

local function isSettled(kind, name)
  if kind == 'bit' then return redis.call('GETBIT', KEYS[3], name) == 1 end
  if kind == 'entry' then return #redis.call('XRANGE', KEYS[3], name, name) == 0 end
  return kind == 'text' and redis.call('HEXISTS', KEYS[3], name) == 0
end

if not isOwnerBy(KEYS[1], ARGV[1]) then return 0 end
if isSettled(string.match(ARGV[5], '^(%a*) ?(.*)$')) then return 0 end
if ARGV[6] and redis.call('HGET', KEYS[1], 'stop') == ARGV[6] then return redis.call('HEXISTS', KEYS[1], 'stopped') end
if ARGV[6] then redis.call('HSET', KEYS[1], 'stop', ARGV[6]) end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if ARGV[4] == '1' then redis.call('HINCRBY', KEYS[2], 'retried', 1) end
return 1
