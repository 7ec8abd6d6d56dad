#!lua flags=allow-oom
-- Lists the members of a group, or of all groups of a topic, and marks the group or topic as removed when that is allowed.
--
-- KEYS  1 tombstones of the first partition  2 log of the first partition
-- ARGV  1 group, or '' for the topic  2 'look' to mark nothing, 'idle' to mark it when no member may live, 'force' to mark it in
--       any case  then the members that are known to be gone
-- returns { number of the removal in force, or '0' when there is none, then the members that may live }
--
-- Guarantees: no member joins between the look and the mark; a removal in force stays the same one; a new one has a higher number
-- than any before, of this topic and of all its groups.
local removed, log, name, mode = KEYS[1], KEYS[2], ARGV[1], ARGV[2]

local gone = {}
for i = 3, #ARGV do gone[ARGV[i]] = true end

-- A list of alternating names and values has the value behind its name.
local function valueOf(list, field)
  for i = 1, #list, 2 do
    if list[i] == field then return list[i + 1] end
  end
end

local function groupsThere()
  local infos = redis.pcall('XINFO', 'GROUPS', log)
  local groups = {}
  for _, info in ipairs(infos.err and {} or infos) do
    local group = valueOf(info, 'name')
    if name == '' or group == name then groups[#groups + 1] = group end
  end
  return groups
end

local function living()
  local members = {}
  for _, group in ipairs(groupsThere()) do
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', log, group)) do
      local member = valueOf(consumer, 'name')
      if not gone[member] then members[#members + 1] = member end
    end
  end
  return members
end

local function nextNumber()
  local time = redis.call('TIME')
  local number = time[1] * 1000 + math.floor(time[2] / 1000)
  for _, value in ipairs(redis.call('HGETALL', removed)) do number = math.max(number, math.abs(tonumber(value) or 0) + 1) end
  return string.format('%.0f', number)
end

local inForce, members = redis.call('HGET', removed, name) or '0', living()
if (tonumber(inForce) or 0) <= 0 then
  inForce = '0'
  if mode == 'force' or (mode == 'idle' and #members == 0) then
    inForce = nextNumber()
    redis.call('HSET', removed, name, inForce)
  end
end
return { inForce, unpack(members) }
