#!lua flags=allow-oom
-- Puts back the entries of one stream that a member holds: each unsettled message in them waits for another member.
--
-- KEYS  1 stream (log or again)  2 again  3 stats  4 open  5 begun  6 log  7 due  8 body  9 control
--       10, 11 two pages of the settled bitmap
-- ARGV  1 group  2 the member that holds it  3 'log' or 'again'  4 offsets a page  5 number of the page in KEYS 10
--       6 'dead' when its process vanished: that counts as a crash; 'left' when it is gone; 'living'
--       7 how many entries to look at  8 entry id after which to look, '0-0' for the beginning
--       then the entry ids that the member keeps
-- returns { entry id to go on after or '-' at the end, messages that were put back, number of the page that is needed to go
--         on or -1 }
--
-- Guarantees: a message is settled, held or waiting at any time; the first crash is counted for all messages that a process
-- held, each further one only for those that it had begun; a member that is gone and holds nothing any more is forgotten.
--!include include/entry-id.lua
--!include include/ring.lua
--!include include/entry-texts.lua
--!include include/waiting.lua

local stream, stats, begun = KEYS[1], KEYS[3], KEYS[5]
local group = { name = ARGV[1], log = KEYS[6], again = KEYS[2], due = KEYS[7], open = KEYS[4], body = KEYS[8], control = KEYS[9] }
local owner, isLog, page, firstPage = ARGV[2], ARGV[3] == 'log', tonumber(ARGV[4]), tonumber(ARGV[5])
local vanished, isGone, look, after = ARGV[6] == 'dead', ARGV[6] ~= 'living', tonumber(ARGV[7]), ARGV[8]
local FIRST_PAGE, FIRST_KEPT = 10, 9
local MOST_MOVED, MOST_BYTES = 64, 131072

local kept = {}
for i = FIRST_KEPT, #ARGV do kept[ARGV[i]] = true end

-- A message that cannot wait stays where it is.
local function markAndWait(bitmap, bit, message)
  redis.call('SETBIT', bitmap, bit, 1)
  local good, waited = pcall(wait, group, message)
  if not good then
    redis.call('SETBIT', bitmap, bit, 0)
    error(waited)
  end
  -- A redriven dead letter of the same message waits already: a message that waits twice counts once.
  if waited then redis.call('HINCRBY', stats, 'settled', 1) end
end

local function putBackOfLog(id, base, texts, bitmap)
  local count, ms = 0, string.match(id, '^%d+')
  for i, text in ipairs(texts) do
    local offset = base + i - 1
    if redis.call('GETBIT', bitmap, offset % page) == 0 then
      local crashes = vanished and '1' or '0'
      markAndWait(bitmap, offset % page, { offset = offset, ms = ms, attempt = '1', crashes = crashes, first = '-', text = text })
      count = count + 1
    end
  end
  return count
end

-- A foreign entry has no offset, and is copied as it is.
local function putBackForeign(entry)
  local text = string.gsub(cjson.encode(entry[2]), '\\/', '/')
  waitAsIs(group, '[-1,1,' .. (vanished and 1 or 0) .. ',null,' .. cjson.encode(text) .. ']')
  return 1
end

local function crashesAfter(crashes, id)
  if not vanished then return crashes end
  if crashes == 0 or redis.call('HEXISTS', begun, id) == 1 then return crashes + 1 end
  return crashes
end

-- The record of a message of `again`; nil where there is none, as for a foreign entry.
local function recordIn(copy)
  local good, parts = pcall(cjson.decode, copy)
  local record = good and type(parts) == 'table' and parts[6] == nil and tonumber(parts[1]) and recordOf(group, parts[1])
  if not record then return nil end
  record.text = parts[5]
  return record
end

local function putBackAgain(entry)
  local copy, crashes = entry[2][2] or '', nil
  copy = string.gsub(copy, '^(%[%-?%d+,%d+,)(%d+)', function(head, before)
    crashes = string.format('%.0f', crashesAfter(tonumber(before), entry[1]))
    return head .. crashes
  end)
  local record = crashes and recordIn(copy)
  if record then
    record.crashes = crashes
    wait(group, record)
  else waitAsIs(group, copy) end
  return 1
end

-- Returns how many messages were put back, or nil and the page that is needed to find out.
local function putBack(entry)
  if not isLog then return putBackAgain(entry) end
  local base, texts = textsOf(entry)
  -- An entry of ours lies within one page.
  if not base or base % page + #texts > page then return putBackForeign(entry) end
  local number = math.floor(base / page)
  local bitmap = KEYS[FIRST_PAGE + number - firstPage]
  if number < firstPage or not bitmap then return nil, number end
  return putBackOfLog(entry[1], base, texts, bitmap)
end

local function letGo(id)
  redis.call('XACK', stream, group.name, id)
  if isLog then return end
  redis.call('XDEL', stream, id)
  redis.call('HDEL', begun, id)
end

local moved, wanted, isAtEnd = 0, -1, true
local pending = redis.call('XPENDING', stream, group.name, '(' .. after, '+', look, owner)
for _, item in ipairs(pending) do
  local id = item[1]
  isAtEnd = moved < MOST_MOVED and (group.bytes or 0) < MOST_BYTES
  if not isAtEnd then break end
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
isAtEnd = isAtEnd and #pending < look and wanted == -1
if isAtEnd and isGone and #redis.call('XPENDING', stream, group.name, '-', '+', 1, owner) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, group.name, owner)
end
return { isAtEnd and '-' or after, moved, wanted }
