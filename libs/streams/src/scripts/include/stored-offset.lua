-- Offsets as they are stored.

-- A stored offset; nil when it is damaged, or so high that Lua would not write all of its digits: no log gets there.
local function offsetOf(text)
  local offset = string.match(text or '', '^%d+$') and tonumber(text)
  return offset and offset < 1e14 and offset or nil
end
