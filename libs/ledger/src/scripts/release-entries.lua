#!lua flags=allow-oom
-- Releases entries of a ledger that are in progress: they are absent then, and may be begun again.
--
-- KEYS  for each shard 1 in progress  2, 3 done
-- ARGV  for each entry: the number of its shard, its id, the token under which it is in progress
-- returns for each '+' it is released; '-' nothing is done: it is not in progress under this token; '!<why>' it failed
--
-- Guarantees: neither what is done nor what is in progress under another token is touched; a call may be repeated; a shard that
-- fails does not stop the others.
--!include include/shards.lua

local FIRST, FIELDS = 1, 3

local function release(shard, replies)
  local standing = redis.call('HMGET', shard.progress, unpack(shard.ids))
  for i, entry in ipairs(shard.entries) do
    local isOurs = isUnder(standing[i], ARGV[entry.at])
    if isOurs then redis.call('HDEL', shard.progress, entry.id) end
    replies[entry.number] = isOurs and '+' or '-'
  end
end

return answersOf(shardsOf(FIRST, FIELDS), release)
