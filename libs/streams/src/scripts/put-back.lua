#!lua flags=allow-oom
-- Puts back what a member holds of one stream of a group: each of its messages that is not settled waits in the retry log
-- for another member.
--
-- KEYS  1 stream (log or retry log)  2 retry log  3 stats  4 open  5 begun  6, 7 two pages of the settled bitmap
-- ARGV  1 group  2 the member that holds it  3 'log' or 'retry'  4 offsets a page  5 number of the page in KEYS 6
--       6 'dead' when its process vanished: that counts as a crash; 'left' when it is gone; 'living'  7 how many entries to look at
--       8 entry id after which to look, '0-0' for the beginning  then the entry ids that the member keeps
-- returns { entry id to go on after or '-' at the end, messages that were put back, number of the page that is needed to go
--         on or -1 }
--
-- Guarantees: a message is settled, held or waiting at any time; the first crash is counted for all that a process held,
-- and each further one only for what it had begun; a member that is gone and holds nothing any more is forgotten.
--!include include/entry-id.lua
--!include include/ring.lua

local stream, retryLog, stats, waiting, begun = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, owner, isLog, page, firstPage = ARGV[1], ARGV[2], ARGV[3] == 'log', tonumber(ARGV[4]), tonumber(ARGV[5])
local vanished, isGone, look, after, FIRST_KEPT = ARGV[6] == 'dead', ARGV[6] ~= 'living', tonumber(ARGV[7]), ARGV[8], 9

local kept = {}
for i = FIRST_KEPT, #ARGV do kept[ARGV[i]] = true end

-- Returns nothing for what is no entry of ours.
local function textsOf(entry)
  local base, size = spanOf(entry[1], entry[2])
  -- An entry of ours lies within one page.
  if not base or base % page + size > page then return nil end
  local texts = {}
  for text in string.gmatch(string.sub(entry[2][2], 2, -2) .. ',\n', '(.-),\n') do texts[#texts + 1] = text end
  if #texts == size then return base, texts end
end

local function bodyOf(offset, envelope)
  return '[' .. offset .. ',1,' .. (vanished and 1 or 0) .. ',null,' .. cjson.encode(envelope) .. ']'
end

-- A retry log that refuses leaves the message where it was.
local function markAndAdd(bitmap, bit, body)
  redis.call('SETBIT', bitmap, bit, 1)
  local added = redis.pcall('XADD', retryLog, '*', 'r', body)
  if type(added) == 'table' and added.err then
    redis.call('SETBIT', bitmap, bit, 0)
    error(added)
  end
end

-- A dead letter of the same message that was put back waits already: what waits twice counts once.
local function track(offset, id)
  if redis.call('ZCOUNT', waiting, offset, offset) > 0 then redis.call('HINCRBY', stats, 'settled', 1)
  else redis.call('ZADD', waiting, offset, offset .. ' ' .. string.match(id, '^%d+')) end
end

local function putBackOfLog(id, base, texts, bitmap)
  local count = 0
  for i, text in ipairs(texts) do
    local offset = base + i - 1
    if redis.call('GETBIT', bitmap, offset % page) == 0 then
      markAndAdd(bitmap, offset % page, bodyOf(offset, text))
      track(offset, id)
      count = count + 1
    end
  end
  return count
end

-- What is no message of ours has no offset, and goes as it is.
local function putBackForeign(entry)
  redis.call('XADD', retryLog, '*', 'r', bodyOf(-1, (string.gsub(cjson.encode(entry[2]), '\\/', '/'))))
  return 1
end

local function crashesAfter(crashes, id)
  if not vanished then return crashes end
  if crashes == 0 or redis.call('HEXISTS', begun, id) == 1 then return crashes + 1 end
  return crashes
end

local function putBackRetry(entry)
  local body = string.gsub(entry[2][2] or '', '^(%[%-?%d+,%d+,)(%d+)', function(head, crashes)
    return head .. string.format('%.0f', crashesAfter(tonumber(crashes), entry[1]))
  end)
  redis.call('XADD', retryLog, '*', 'r', body)
  return 1
end

-- Returns how many messages were put back, or nil and the page without which that cannot be told.
local function putBack(entry)
  if not isLog then return putBackRetry(entry) end
  local base, texts = textsOf(entry)
  if not base then return putBackForeign(entry) end
  local number = math.floor(base / page)
  local bitmap = KEYS[6 + number - firstPage]
  if number < firstPage or not bitmap then return nil, number end
  return putBackOfLog(entry[1], base, texts, bitmap)
end

local function letGo(id)
  redis.call('XACK', stream, group, id)
  if isLog then return end
  redis.call('XDEL', stream, id)
  redis.call('HDEL', begun, id)
end

local moved, wanted = 0, -1
local pending = redis.call('XPENDING', stream, group, '(' .. after, '+', look, owner)
for _, item in ipairs(pending) do
  local id = item[1]
  if not kept[id] then
    local entry = redis.call('XRANGE', stream, id, id)[1]
    local count = 0
    if entry then count, wanted = putBack(entry) end
    if not count then break end
    wanted = -1
    letGo(id)
    moved = moved + count
  end
  after = id
end
if vanished and moved > 0 then redis.call('HINCRBY', stats, 'redelivered', moved) end
local isAtEnd = #pending < look and wanted == -1
if isAtEnd and isGone and #redis.call('XPENDING', stream, group, '-', '+', 1, owner) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, group, owner)
end
if moved > 0 then ring(stream, 'again ' .. group .. ' ' .. after .. '/' .. moved) end
return { isAtEnd and '-' or after, moved, wanted }
