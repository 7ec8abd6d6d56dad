#!lua flags=no-writes
-- Reads which messages are in entries that members of a group hold, at one moment, without their contents.
--
-- KEYS  1 stream (log or again)  2 control  then for each entry the page of the settled bitmap that has its messages
-- ARGV  1 'log' or 'again'  2 offsets a page  3 no more entries are read behind so many bytes  then their ids
-- returns { how many of the entries were looked at, the owner of the partition or '', then for each message that the group is not
--         done with { entry, offset or -1 of a foreign entry, attempt, crashes, message id or '' where it cannot be told } }
--!include include/entry-id.lua
--!include include/entry-texts.lua

local FIRST, FIRST_PAGE = 4, 3
local stream, control = KEYS[1], KEYS[2]
local isLog, page, left = ARGV[1] == 'log', tonumber(ARGV[2]), tonumber(ARGV[3])
local reply = { 0, redis.call('HGET', control, 'owner') or '' }

local function add(entry, offset, history, text)
  local attempt, crashes = unpack(history)
  local id = string.match(text, '^%[%d+,"([^"\\]+)"') or ''
  reply[#reply + 1] = { entry, offset, tonumber(attempt) or 1, tonumber(crashes) or 0, id }
end

-- Attempt and crashes of a message that stays with the owner of its partition; nothing where it has noted none.
local function noted(name)
  return { string.match(redis.call('HGET', control, 'tried:' .. name) or '', '^(%d+) (%d+) ') }
end

local function addOfLog(entry, bitmap)
  local base, texts = textsOf(entry)
  -- An entry of ours lies within one page.
  if not base or base % page + #texts > page then return add(entry[1], -1, {}, '') end
  for i, text in ipairs(texts) do
    local offset = base + i - 1
    if redis.call('GETBIT', bitmap, offset % page) == 0 then add(entry[1], offset, noted(string.format('%.0f', offset)), text) end
  end
end

local function addOfAgain(entry)
  local good, parts = pcall(cjson.decode, entry[2][2] or '')
  local offset = good and type(parts) == 'table' and tonumber(parts[1])
  if not offset then return add(entry[1], -1, {}, '') end
  local history = noted(entry[1])
  add(entry[1], offset, history[1] and history or { parts[2], parts[3] }, type(parts[5]) == 'string' and parts[5] or '')
end

for i = FIRST, #ARGV do
  if left <= 0 then break end
  -- An entry that is gone from its stream is held no more: the audit counts it.
  local entry = redis.call('XRANGE', stream, ARGV[i], ARGV[i])[1]
  if entry then
    for _, text in ipairs(entry[2]) do left = left - #text end
    if isLog then addOfLog(entry, KEYS[FIRST_PAGE + i - FIRST]) else addOfAgain(entry) end
  end
  reply[1] = reply[1] + 1
end
return reply
