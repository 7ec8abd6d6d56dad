-- The shards of a ledger in a call. Each has three keys in a row: a hash of what is in progress, and two hashes of what is done.
-- The field '' of each, which no entry has, keeps the keys there, so that a slot that moves has all of them or none. In one of what
-- is done it is the moment at which it became the current one, in Unix milliseconds by the clock of Redis, 0 before: the later one
-- is current. When that has been so for as long as entries are kept, the other one is emptied, and takes its place.
-- An entry in progress is '<token> <since> <holder>', one that is done '<state> <token> <result>'.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- How much longer than needed a hash of what is done may stay: one in use is removed by UNLINK, which does not hold up others.
local GRACE_MS = 60000

-- Returns the shards of the call, each with the entries that are its own. The arguments of an entry begin with the number of its
-- shard and its id.
local function shardsOf(first, fields)
  local shards = {}
  for i = 1, #KEYS, 3 do
    shards[#shards + 1] = { progress = KEYS[i], buckets = { KEYS[i + 1], KEYS[i + 2] }, entries = {}, ids = {} }
  end
  for at = first, #ARGV, fields do
    local shard = shards[tonumber(ARGV[at])]
    shard.entries[#shard.entries + 1] = { id = ARGV[at + 1], at = at + 2, number = (at - first) / fields + 1 }
    shard.ids[#shard.ids + 1] = ARGV[at + 1]
  end
  return shards
end

-- Whether an entry in progress has this token.
local function isUnder(standing, token)
  return standing and string.sub(standing, 1, #token + 1) == token .. ' '
end

-- Answers for each shard by itself: one that fails does not stop the others.
local function answersOf(shards, work)
  local replies = {}
  for _, shard in ipairs(shards) do
    local good, problem = pcall(work, shard, replies)
    local why = not good and (type(problem) == 'table' and problem.err or tostring(problem))
    for _, entry in ipairs(shard.entries) do
      if why then replies[entry.number] = '!' .. why end
    end
  end
  return replies
end
