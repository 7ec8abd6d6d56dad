-- The messages of an entry of a log. It needs entry-id.lua.

-- Offset of the first message and the texts of all; nothing for a foreign entry.
local function textsOf(entry)
  local base, size = spanOf(entry[1], entry[2])
  if not base then return nil end
  local content, texts, from = entry[2][2], {}, 2
  -- A plain search: a pattern would look at each character, which takes ten times as long.
  local behind = string.find(content, ',\n', from, true)
  while behind do
    texts[#texts + 1] = string.sub(content, from, behind - 1)
    from = behind + 2
    behind = string.find(content, ',\n', from, true)
  end
  texts[#texts + 1] = string.sub(content, from, -2)
  if #texts == size then return base, texts end
end
