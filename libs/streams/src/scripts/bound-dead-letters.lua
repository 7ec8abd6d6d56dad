#!lua flags=allow-oom
-- Removes the oldest dead letters of a group where there are more than it keeps.
--
-- KEYS  for each partition: dead letters, stats
-- ARGV  1 how old they may be, ms  2 how many there may be  3 how many bytes they may take  4 how many to look at in each
--       5 '1' when a member serves the hook: dead letters that were not reported to it stay then
-- returns for each { removed, of those unreported, '1' when there may be more to remove, then names of the hook's consumers };
--         'FAILED <why>' when its turn failed
--
-- Guarantees: removed dead letters are counted, and those of them that were not reported to the hook are counted separately; a
-- partition that fails does not stop the others.
--!include include/try-partition.lua
--!include include/id-order.lua
--!include include/unreported.lua

local maxAge, maxMessages, maxBytes, most, isServed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local FIELDS, WALK_PAGE, KEPT_SHARE = 2, 20, 0.9
local time = redis.call('TIME')
local untilMs = time[1] * 1000 + math.floor(time[2] / 1000) - maxAge

-- How many are too many, by their number or their bytes; a removal for bytes leaves a little room.
local function excess(dead)
  local count = redis.call('XLEN', dead)
  local bytes = count > 0 and redis.call('MEMORY', 'USAGE', dead) or 0
  local ofBytes = bytes > maxBytes and math.ceil(count * (1 - KEPT_SHARE * maxBytes / bytes)) or 0
  return math.max(count - maxMessages, ofBytes)
end

local function consumersOf(dead)
  local names = {}
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', dead, HOOK)) do names[#names + 1] = consumer[2] end
  return names
end

-- Returns how many are to be removed, how many of these unreported, and the id of the last.
local function walk(dead, stats, hook)
  local tooMany, going, unreported, last = excess(dead), 0, 0, nil
  while going < most do
    local entries = redis.call('XRANGE', dead, last and '(' .. last or '-', '+', 'COUNT', WALK_PAGE)
    for _, entry in ipairs(entries) do
      local id = entry[1]
      if going >= tooMany and tonumber(string.match(id, '^%d+')) >= untilMs then return going, unreported, last end
      if isUnreported(dead, hook, id) then
        if isServed then return going, unreported, last end
        forget(dead, stats, id)
        unreported = unreported + 1
      end
      going, last = going + 1, id
    end
    if #entries < WALK_PAGE then break end
  end
  return going, unreported, last
end

local function bound(dead, stats)
  local hook = hookOf(dead)
  local removed, unreported, last = walk(dead, stats, hook)
  if removed > 0 then
    redis.call('XTRIM', dead, 'MINID', '=', following(last))
    redis.call('HINCRBY', stats, 'deadLettersDropped', removed)
  end
  local more = removed >= most or (removed > 0 and excess(dead) > 0)
  return { removed, unreported, more and '1' or '0', unpack(hook and consumersOf(dead) or {}) }
end

local replies = {}
for i = 1, #KEYS, FIELDS do replies[#replies + 1] = tryPartition(bound, KEYS[i], KEYS[i + 1]) end
return replies
