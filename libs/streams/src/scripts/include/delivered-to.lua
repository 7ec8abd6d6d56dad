-- The position of a group in a log.

-- The last entry id that was delivered to the group, and how many entries its members hold; nil when the group is not there.
local function deliveredTo(log, group)
  local infos = redis.pcall('XINFO', 'GROUPS', log)
  for _, info in ipairs(infos.err and {} or infos) do
    local fields = {}
    for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
    if fields.name == group then return fields['last-delivered-id'], fields.pending end
  end
end
