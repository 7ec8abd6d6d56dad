-- The offset that comes next in a log. It needs entry-id.lua.

-- Offset of the first message that exists behind an id, and the id of its entry; `next` alone at the end. The given id alone would
-- not do: entries may have been deleted, or added by other programs. So one entry is read.
local function offsetBehind(log, id, next)
  local count = 1
  while true do
    local entries = redis.call('XRANGE', log, '(' .. id, '+', 'COUNT', count)
    for _, entry in ipairs(entries) do
      local base, size = spanOf(entry[1], entry[2])
      if base and base + size <= next then return base, entry[1] end
    end
    if #entries < count then return next end
    id, count = entries[#entries][1], 100
  end
end
