#!lua flags=no-writes
-- Reads entries of a stream in the order of their ids until they are many or large: a longer call would hold Redis up.
--
-- KEYS  1 stream
-- ARGV  1 the first id and  2 the last one, as XRANGE takes them  3 the most entries  4 no more are read behind so many bytes
--       5 '1' for the newest first: then the first id is the highest one, as XREVRANGE takes it
-- returns { entries, as XRANGE gives them, '1' when there are no more in the range or else '0' }
local stream, from, to, most, left = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local range = ARGV[5] == '1' and 'XREVRANGE' or 'XRANGE'
-- The first ones are read one by one: each may be as large as a message.
local MOST_AT_ONCE = 4
local entries = {}

while #entries < most and left > 0 do
  local wanted = math.min(MOST_AT_ONCE, most - #entries, #entries + 1)
  local page = redis.call(range, stream, from, to, 'COUNT', wanted)
  for _, entry in ipairs(page) do
    entries[#entries + 1] = entry
    for _, text in ipairs(entry[2]) do left = left - #text end
  end
  if #page < wanted then return { entries, '1' } end
  from = '(' .. page[#page][1]
end
return { entries, '0' }
