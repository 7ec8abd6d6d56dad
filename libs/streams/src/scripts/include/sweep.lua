-- Removes waiting messages that a seek made void. It needs waiting.lua.

local SWEPT = 250

-- Looks at one page. All messages before the stored offset are valid.
local function sweep(group)
  local from = seekOf(group).position
  if not from then return end
  local members = redis.call('ZRANGE', group.open, from, '+inf', 'BYSCORE', 'LIMIT', 0, SWEPT)
  local records, names, bodies, offset = {}, {}, {}, from - 1
  for _, member in ipairs(members) do
    offset = tonumber(string.match(member, '^%d+')) or offset
    local record = parsed(group, member, offset)
    if not record or record.isVoid then
      records[#records + 1], names[#names + 1], bodies[#bodies + 1] = member, nameOf(offset), offset
    end
  end
  if #records > 0 then
    redis.call('ZREM', group.due, unpack(names))
    redis.call('HDEL', group.body, unpack(bodies))
    redis.call('ZREM', group.open, unpack(records))
  end
  if #members < SWEPT then redis.call('HDEL', group.control, 'void')
  else redis.call('HSET', group.control, 'void', offset + 1) end
  group.seek = nil
end
