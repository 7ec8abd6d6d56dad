#!lua flags=allow-oom
-- Takes over entries whose holder has vanished, whose lease has run out, or that were given to the caller in a reply
-- that never arrived.
--
-- KEYS  1 stream (log or retry log)  2 members  3 stats
-- ARGV  1 group  2 member  3 lease, ms  4 entry id after which to look, '-' for the beginning  5 how many to look at
--       6 how many messages to take: no further entry when there are so many
--       then the entry ids that the caller holds: any other of its own is taken over at once, so it must not be called
--       while a read of the caller's is under way
-- returns { entry id to go on after, or '-' at the end; id, count, fields, ... }; what is gone from the stream is let go of
--
-- Guarantees: a living member within its lease keeps what it has. A member that has never beaten, or was forgotten,
-- keeps it for a third of the lease: it may have just come back and read before it beat.
--!include include/entry-id.lua

local stream, members = KEYS[1], KEYS[2]
local group, member, lease, after = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local look, take = tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local held = {}
for i = 7, #ARGV do held[ARGV[i]] = true end

local grace = {}
local function graceOf(owner)
  if grace[owner] == nil then
    local beat = redis.call('ZSCORE', members, owner)
    if not beat then grace[owner] = math.floor(lease / 3)
    elseif now - tonumber(beat) > lease then grace[owner] = -1
    else grace[owner] = lease end
  end
  return grace[owner]
end

local function claimable(entry, owner, idle)
  if owner == member then return not held[entry] end
  return idle > graceOf(owner)
end

-- Of the retry log, or no entry of ours, an entry is one message.
local function messagesIn(id, fields)
  local _, size = spanOf(id, fields)
  return size or 1
end

local reply, taken, messages = { '-' }, 0, 0
local pending = redis.call('XPENDING', stream, group, after == '-' and '-' or '(' .. after, '+', look)
for _, entry in ipairs(pending) do
  if messages >= take then break end
  reply[1] = entry[1]
  if claimable(entry[1], entry[2], entry[3]) then
    local claimed = redis.call('XCLAIM', stream, group, member, 0, entry[1])[1]
    if claimed and claimed[2] then
      reply[#reply + 1] = claimed[1]
      reply[#reply + 1] = entry[4] + 1
      reply[#reply + 1] = claimed[2]
      taken = taken + 1
      messages = messages + messagesIn(claimed[1], claimed[2])
    else
      redis.call('XACK', stream, group, entry[1])
    end
  end
end
if #pending < look and messages < take then reply[1] = '-' end
if taken > 0 then redis.call('HINCRBY', KEYS[3], 'redelivered', taken) end
return reply
