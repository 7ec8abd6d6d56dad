-- Fetches that owners of a partition have left open: they found less than they asked for. Field `fetches` of the meta, a line for
-- each group: `<group> <consumer> <member> <epoch> <number of the fetch>`.

local FETCH = '(%S+) (%S+) (%S+) (%d+) (%d+)\n'

local function fetchText(...)
  return string.format('%s %s %s %s %s\n', ...)
end

-- The lines of all other groups, and the member, the epoch and the number of this group's fetch where it is open.
local function withoutFetch(fetches, group)
  local texts, open = {}, {}
  for name, consumer, member, epoch, number in string.gmatch(fetches or '', FETCH) do
    if name == group then open = { member, epoch, number }
    else texts[#texts + 1] = fetchText(name, consumer, member, epoch, number) end
  end
  return table.concat(texts), unpack(open)
end
