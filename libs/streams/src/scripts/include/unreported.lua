-- Finds the dead letters that were not reported to the hook of a group. It needs id-order.lua.

local HOOK = 'hook'

-- The position of the hook; nil where there is none.
local function hookOf(dead)
  local infos = redis.pcall('XINFO', 'GROUPS', dead)
  for _, info in ipairs(infos.err and {} or infos) do
    local fields = {}
    for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
    if fields.name == HOOK then return { delivered = fields['last-delivered-id'], isHolding = fields.pending > 0 } end
  end
end

local function isUnreported(dead, hook, id)
  if not hook then return false end
  if isBefore(hook.delivered, id) then return true end
  return hook.isHolding and #redis.call('XPENDING', dead, HOOK, id, id, 1) > 0
end

-- Counts a dead letter that is removed before it was reported.
local function forget(dead, stats, id)
  redis.call('XACK', dead, HOOK, id)
  redis.call('HINCRBY', stats, 'untold', 1)
end
