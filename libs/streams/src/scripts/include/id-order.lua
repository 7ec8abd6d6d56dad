-- The order of entry ids. Each of the two numbers of an id has up to 64 bits, and a number of Lua only 53.

-- Whether the first of two numbers is the lower one; both are texts without leading zeros.
local function isLower(one, other)
  if #one ~= #other then return #one < #other end
  return one < other
end

local function isBefore(id, other)
  local ms, number = string.match(id, '^(%d+)-(%d+)$')
  local otherMs, otherNumber = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= otherMs then return isLower(ms, otherMs) end
  return isLower(number, otherNumber)
end

-- The number that comes next.
local function increased(number)
  local head, digit, nines = string.match(number, '^(%d-)([0-8]?)(9*)$')
  return head .. (tonumber(digit) or 0) + 1 .. string.rep('0', #nines)
end

-- The id that comes next.
local function following(id)
  local ms, number = string.match(id, '^(%d+)-(%d+)$')
  if number == '18446744073709551615' then return increased(ms) .. '-0' end
  return ms .. '-' .. increased(number)
end
