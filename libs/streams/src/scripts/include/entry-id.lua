-- The id of an entry of the log has the offsets of its messages: `<ms>-<base * 16 + n - 1>`, where base is the offset of the
-- first one and n, from 1 to 16, how many there are. Foreign entries, added by other programs, have ids that mean nothing.

-- The format of the logs that this code reads and writes: the field of that name in the meta.
local FORMAT = '2'

-- Offset of the first message of an entry and how many it carries; nil for an id that no entry of ours can have and, where its
-- fields are given, for fields that are not those of ours: one `m`, which is a JSON array.
local function spanOf(id, fields)
  local number = tonumber(string.match(id, '%d+$'))
  if number >= 2 ^ 53 then return nil end
  if fields and (#fields ~= 2 or fields[1] ~= 'm') then return nil end
  if fields and (string.byte(fields[2]) ~= 91 or string.byte(fields[2], -1) ~= 93) then return nil end
  return math.floor(number / 16), number % 16 + 1
end
