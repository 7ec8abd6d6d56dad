#!lua flags=allow-oom
-- Removes the oldest dead letters of a group where there are more than it keeps.
--
-- KEYS  for each partition: dead letters, stats
-- ARGV  1 how old they may be, ms  2 how many there may be  3 how many bytes they may take  4 how many to look at in each
--       5 '1' when somebody tells the hook: what it was not told of stays then
-- returns for each { removed, of those untold, '1' when there may be more to remove, then names of the hook's consumers };
--         'FAILED <why>' when its turn failed
--
-- Guarantees: what is removed is counted, and what of it the hook was not told of too; a partition that fails keeps no other from
-- its turn.
--!include include/each-apart.lua
--!include include/id-order.lua
--!include include/untold.lua

local maxAge, maxMessages, maxBytes, most, isTold = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local FIELDS, WALK_PAGE, KEPT_SHARE = 2, 20, 0.9
local time = redis.call('TIME')
local untilMs = time[1] * 1000 + math.floor(time[2] / 1000) - maxAge

-- How many are too many, for their number or their bytes: of these the share that goes leaves a little room.
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

-- Returns how many go, how many of these untold, and the id of the last.
local function walk(dead, stats, hook)
  local tooMany, going, untold, last = excess(dead), 0, 0, nil
  while going < most do
    local entries = redis.call('XRANGE', dead, last and '(' .. last or '-', '+', 'COUNT', WALK_PAGE)
    for _, entry in ipairs(entries) do
      local id = entry[1]
      if going >= tooMany and tonumber(string.match(id, '^%d+')) >= untilMs then return going, untold, last end
      if isUntold(dead, hook, id) then
        if isTold then return going, untold, last end
        forget(dead, stats, id)
        untold = untold + 1
      end
      going, last = going + 1, id
    end
    if #entries < WALK_PAGE then break end
  end
  return going, untold, last
end

local function bound(dead, stats)
  local hook = hookOf(dead)
  local removed, untold, last = walk(dead, stats, hook)
  if removed > 0 then
    redis.call('XTRIM', dead, 'MINID', '=', following(last))
    redis.call('HINCRBY', stats, 'deadLettersDropped', removed)
  end
  local more = removed >= most or (removed > 0 and excess(dead) > 0)
  return { removed, untold, more and '1' or '0', unpack(hook and consumersOf(dead) or {}) }
end

local replies = {}
for i = 1, #KEYS, FIELDS do replies[#replies + 1] = apart(bound, KEYS[i], KEYS[i + 1]) end
return replies
