#!lua
-- Begins entries of a ledger, each for the holder that asks for it, unless it is in progress elsewhere or done.
--
-- KEYS  for each shard 1 in progress  2, 3 done
-- ARGV  1 how long an entry that is done is kept, ms  2 most entries a shard  3 how long one in progress is kept at the most, ms
--       then for each: the number of its shard, its id, the token that it gets, its holder, and the token of an entry in progress
--       that it may replace, or ''
-- returns for each '+' it is in progress under the new token, '^' in place of the one that it might replace,
--         'h<ms> <token> <holder>' it has been in progress for so long under another token, 'd<result>' it is done,
--         't' it is done and its result was too large to be kept, 'f' the shard is full, '!<why>' it failed
--
-- Guarantees: an entry is in progress under one token at a time, and one that is done is never in progress again while it is kept;
-- a full Redis refuses the call, so that nothing is begun without a record; a shard that fails does not stop the others.
--!include include/shards.lua

local KEEP, MOST, WORK = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local FIRST, FIELDS = 4, 5
local since = string.format('%.0f', now)
-- So many in progress are more than members have in hand: some may have been left behind. So many are looked at in a call.
local SWEEP_FROM, LOOK = 1000, 100

-- Removes entries in progress that nobody has asked for since they were too old: their holders died.
local function sweep(progress)
  local page = redis.call('HSCAN', progress, redis.call('HGET', progress, '') or '0', 'COUNT', LOOK)
  local fields = page[2]
  for i = 1, #fields, 2 do
    local begunAt = string.match(fields[i + 1], '^%S+ (%d+) ')
    if fields[i] ~= '' and now - (begunAt or 0) >= WORK then redis.call('HDEL', progress, fields[i]) end
  end
  redis.call('HSET', progress, '', page[1])
end

-- Returns how many entries there are, and how many of them are in progress.
local function count(shard)
  local progress, one, other = redis.call('HLEN', shard.progress), redis.call('HLEN', shard.buckets[1]), redis.call('HLEN', shard.buckets[2])
  return math.max(0, progress - 1) + one + other - 2, progress
end

-- Makes the hashes of what is done that are not there, and empties one that is too old. Returns what is done, by id.
local function prepare(shard)
  local done = {}
  for _, bucket in ipairs(shard.buckets) do
    local values = redis.call('HMGET', bucket, '', unpack(shard.ids))
    local start = tonumber(values[1] or nil)
    if not start or (start > 0 and start + 2 * KEEP <= now) then
      redis.call('UNLINK', bucket)
      redis.call('HSET', bucket, '', '0')
      redis.call('PEXPIRE', bucket, 2 * KEEP + GRACE_MS)
    else
      for i, id in ipairs(shard.ids) do done[id] = done[id] or values[i + 1] end
    end
  end
  return done
end

local function answerDone(entry)
  local state, result = string.match(entry, '^([dt]) %S+ (.*)$')
  if not state then error('it holds no entry of a ledger') end
  return state == 'd' and 'd' .. result or 't'
end

-- Returns how an entry in progress is answered that keeps its token; nil when another may have it.
local function answerHeld(standing, replaced)
  local token, begunAt, holder = string.match(standing, '^(%S+) (%d+) (.*)$')
  if not token then error('it holds no entry of a ledger') end
  if token == replaced or now - begunAt >= WORK then return nil end
  return 'h' .. string.format('%.0f', now - begunAt) .. ' ' .. token .. ' ' .. holder
end

local function begin(shard, replies)
  local done = prepare(shard)
  local size, inProgress = count(shard)
  if size + #shard.ids > MOST or inProgress > SWEEP_FROM then
    sweep(shard.progress)
    size = count(shard)
  end
  local standing, begun, fresh = redis.call('HMGET', shard.progress, '', unpack(shard.ids)), {}, {}
  if not standing[1] then fresh = { '', '0' } end
  for i, entry in ipairs(shard.entries) do
    local id, held = entry.id, begun[entry.id] or standing[i + 1]
    local answer = done[id] and answerDone(done[id]) or held and answerHeld(held, ARGV[entry.at + 2])
    if not answer and not held and size >= MOST then answer = 'f' end
    if not answer then
      begun[id] = ARGV[entry.at] .. ' ' .. since .. ' ' .. ARGV[entry.at + 1]
      fresh[#fresh + 1] = id
      fresh[#fresh + 1] = begun[id]
      if not held then size = size + 1 end
    end
    replies[entry.number] = answer or held and '^' or '+'
  end
  if #fresh == 0 then return end
  redis.call('HSET', shard.progress, unpack(fresh))
  redis.call('PEXPIRE', shard.progress, WORK)
end

return answersOf(shardsOf(FIRST, FIELDS), begin)
