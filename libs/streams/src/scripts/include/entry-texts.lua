-- The messages of an entry of a log. It needs entry-id.lua.

-- Offset of the first message and the texts of all; nothing for what is no entry of ours.
local function textsOf(entry)
  local base, size = spanOf(entry[1], entry[2])
  if not base then return nil end
  local texts = {}
  for text in string.gmatch(string.sub(entry[2][2], 2, -2) .. ',\n', '(.-),\n') do texts[#texts + 1] = text end
  if #texts == size then return base, texts end
end
