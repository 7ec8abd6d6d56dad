#!lua flags=allow-oom
-- Reads entries of partitions of an ordered group, for the member that owns them.
--
-- KEYS  for each partition: control, log, again, meta
-- ARGV  1 group  2 consumer of all owners  3 member  4 number of partitions of the last raise before which the group has settled
--       all, 0 for none  then for each partition: the epoch under which the member owns it, how often it has begun to read anew
--       since it knows the partition, the number of this fetch, '1' when it may be left open, how many entries to read of each
--       stream, then where to read in the log, and where in `again`: '>' for entries that no owner
--       has read yet; an id for those behind it that owners have read and not settled; '' not to read there; '-' in the log to leave
--       nothing open, without reading
-- returns for each { { id, fields and values }... of the log, the same of `again`, the raise for which entries of the log are held
--         back: '<from> <to>', else '', the fetch that was open until now: '<number> <offset up to which messages were handed over to
--         it>', else '', and the offset from which on this one is open, else '' }; 'LOST' when the member does not own it under that
--         epoch; 'FAILED <why>' when its turn failed
--
-- Guarantees: only the owner reads; a read that arrives behind one for which its owner had begun anew takes nothing: nobody waits
-- for its reply any more, and what it brought would be read again by the next owner alone; no owner reads what was published
-- after a raise before the group has settled all from before it; a fetch stays open only where the log has nothing more, until
-- the next fetch of the group; an entry that is gone from its stream though it is not settled is held no more, and has no notes:
-- the audit counts it; a partition that fails does not stop the others.
--!include include/try-partition.lua
--!include include/entry-id.lua
--!include include/delivered-to.lua
--!include include/fetch-lines.lua
--!include include/open-fetches.lua

local FIRST, FIELDS, STREAMS = 5, 7, 4
local passed = tonumber(ARGV[4])
local group, consumer, member = ARGV[1], ARGV[2], ARGV[3]

-- Removes the notes of owners about the messages of an entry that is gone.
local function forgetNotes(place, stream, entry)
  local function forget(name) redis.call('HDEL', place.control, 'tried:' .. name, 'given-up:' .. name) end
  forget(entry)
  local base, size = spanOf(entry)
  if stream ~= place.log or not base then return end
  for offset = base, base + size - 1 do forget(string.format('%.0f', offset)) end
end

local function present(place, stream, entries)
  local found = {}
  for _, entry in ipairs(entries) do
    if entry[2] then found[#found + 1] = entry
    else
      redis.call('XACK', stream, group, entry[1])
      forgetNotes(place, stream, entry[1])
    end
  end
  return found
end

local function read(place, stream, count, after)
  if after == '' or after == '-' then return {} end
  while true do
    local reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', stream, after)
    local entries = reply and reply[1] and reply[1][2] or {}
    local found = present(place, stream, entries)
    if #found > 0 or #entries == 0 then return found end
  end
end

-- The first gate that is not known to be open: the raise, and the offset that no owner reads before that.
local function gateIn(gates)
  for from, to, at in string.gmatch(gates or '', '(%d+):(%d+):(%d+)') do
    if tonumber(to) > passed then return from .. ' ' .. to, tonumber(at) end
  end
end

-- How many of the next entries are before an offset, and whether one behind them is not.
local function countBefore(log, count, at)
  local entries, before = redis.call('XRANGE', log, '(' .. (deliveredTo(log, group) or '0-0'), '+', 'COUNT', count), 0
  for _, entry in ipairs(entries) do
    local base = spanOf(entry[1], entry[2])
    if base and base >= at then return before, true end
    before = before + 1
  end
  return before, false
end

local function readNew(place, count, raise, at)
  if not raise then return read(place, place.log, count, '>') end
  local before, isHeld = countBefore(place.log, count, at)
  -- A count of 0 would read all.
  return before > 0 and read(place, place.log, before, '>') or {}, isHeld and raise or nil
end

-- Whether the owner has begun anew since it sent this read. `round` of the control has the epoch and the highest round.
local function isOvertaken(control, last, epoch, round)
  if last == epoch .. ' ' .. round then return false end
  local lastEpoch, lastRound = string.match(last, '^(%d+) (%d+)$')
  if lastEpoch == epoch and tonumber(lastRound) > tonumber(round) then return true end
  redis.call('HSET', control, 'round', epoch .. ' ' .. round)
  return false
end

-- Closes the fetch of the group that is open. Returns the lines of all others, and what was handed over to that one.
local function close(log, fetches, epoch)
  local others, owner, by, number = withoutFetch(fetches, group)
  if owner ~= member or by ~= epoch then return others, '' end
  return others, number .. ' ' .. offsetBehind(deliveredTo(log, group) or '0-0')
end

-- Reads the log, and leaves the fetch open when it has brought all that there is.
local function readLog(place, epoch, fetch, count, after)
  local gates, fetches, next = unpack(redis.call('HMGET', place.meta, 'gates', 'fetches', 'next'))
  local others, handedOver = close(place.log, fetches, epoch)
  local isNew, raise, at = after == '>', gateIn(gates)
  local entries, held
  if isNew then entries, held = readNew(place, count, raise, at) else entries = read(place, place.log, count, after) end
  local isOpen = fetch.mayStay == '1' and isNew and not raise and next and #entries < tonumber(count)
  local open = isOpen and fetchText(group, consumer, member, epoch, fetch.number) or ''
  if others .. open ~= (fetches or '') then redis.call('HSET', place.meta, 'fetches', others .. open) end
  return { entries, held or '', handedOver, isOpen and next or '' }
end

local function fetch(control, log, again, meta, epoch, round, number, mayStay, count, afterLog, afterAgain)
  local record = redis.call('HMGET', control, 'owner', 'epoch', 'round')
  if record[1] ~= member or record[2] ~= epoch then return 'LOST' end
  if isOvertaken(control, record[3] or '', epoch, round) then return { {}, {}, '', '', '' } end
  local place, found = { control = control, log = log, meta = meta }, { {}, '', '', '' }
  if afterLog ~= '' then found = readLog(place, epoch, { number = number, mayStay = mayStay }, count, afterLog) end
  return { found[1], read(place, again, count, afterAgain), unpack(found, 2) }
end

local replies = {}
for i = FIRST, #ARGV, FIELDS do
  local key = (i - FIRST) / FIELDS * STREAMS
  replies[#replies + 1] = tryPartition(fetch, KEYS[key + 1], KEYS[key + 2], KEYS[key + 3], KEYS[key + 4], unpack(ARGV, i, i + FIELDS - 1))
end
return replies
