#!lua flags=allow-oom
-- Settles a message of a key that was released, and finds the next one.
--
-- KEYS  1 control  2 parked  3 parked text  4 parked keys  5 dead letters  6 stats
-- ARGV  1 owner and its epoch, with a space between them  2 key, as it stands in the names
--       3 name of the message, or '' to find the first one
--       4 outcome: 'ack', with 5 how it ended, as `settle.lua` has it; 'dead', with 5 the envelope and 6 the reason as JSON; 'park',
--       with 5 the text that says how it was given up this time, no other text of the message being the same: the key is put aside
--       again
-- returns { name, text, 1 when an operator wants it to be a dead letter, else 0 } of the next message; 'PARKED' when the key is not
--         released; 'EMPTY' when there is none: the key is as any other from now on; 'LOST' with nothing done when it is another's
--         partition by now
--
-- Guarantees: a message is settled once, also when the call is repeated; a repetition leaves a key released that an operator has
-- released since the first call; a message leaves with its outcome; what was known of its attempts goes, also when its key is put
-- aside again: the next release begins anew.
--!include include/owner.lua

local control, parked, texts, keys, dead, stats = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local key, name, outcome = ARGV[2], ARGV[3], ARGV[4]
if not isOwnerBy(control, ARGV[1]) then return 'LOST' end

local function forgetAttempts()
  redis.call('HDEL', control, 'tried:' .. name, 'given-up:' .. name)
end

-- A repetition finds the text of the first call, and an operator may have released the key since.
local function parkAgain(text)
  local present = redis.call('HGET', texts, name)
  if present == text then return end
  forgetAttempts()
  redis.call('HSET', keys, key, 'parked')
  if present then redis.call('HSET', texts, name, text) end
end

local function settle()
  forgetAttempts()
  if not redis.call('ZSCORE', parked, name) then return end
  -- The dead letter comes first: a call that fails loses nothing.
  if outcome == 'dead' then redis.call('XADD', dead, '*', 'm', ARGV[5], 'e', ARGV[6]) end
  redis.call('ZREM', parked, name)
  redis.call('HDEL', texts, name)
  if outcome == 'dead' then redis.call('HINCRBY', stats, 'deadLettered', 1)
  else
    redis.call('HINCRBY', stats, 'handled', 1)
    if ARGV[5] ~= 'handled' then redis.call('HINCRBY', stats, ARGV[5], 1) end
  end
end

if name ~= '' and outcome == 'park' then parkAgain(ARGV[5])
elseif name ~= '' then settle() end

local first = redis.call('ZRANGE', parked, '[' .. key .. ' ', '(' .. key .. '!', 'BYLEX', 'LIMIT', 0, 1)[1]
if not first then
  redis.call('HDEL', keys, key)
  return 'EMPTY'
end
if redis.call('HGET', keys, key) ~= 'released' then return 'PARKED' end
return { first, redis.call('HGET', texts, first), redis.call('HEXISTS', control, 'given-up:' .. first) }
