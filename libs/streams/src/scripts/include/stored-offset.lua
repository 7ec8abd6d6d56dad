-- Offsets as they are stored.

-- A stored offset; nil when it is damaged, or too high for any id.
local function offsetOf(text)
  local offset = string.match(text or '', '^%d+$') and tonumber(text)
  return offset and offset < 2 ^ 49 and offset or nil
end
