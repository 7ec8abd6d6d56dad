#!lua flags=allow-oom
-- Withdraws requests for which their caller waits no longer.
--
-- KEYS  1 stream of requests
-- ARGV  1 group  2 channel of cancellations, in the slot of the stream  then for each request: entry id, name of the request
-- returns for each a letter: 'W' withdrawn before an instance took it, 'T' taken: its name was published in the channel,
--         'N' no longer there
--
-- Guarantees: an instance never gets a request that was withdrawn; one that an instance has stays in its hands.
local stream, group, channel = KEYS[1], ARGV[1], ARGV[2]
local letters = {}

-- A stream that is gone, or has no group, has no request that was taken.
local function isTaken(id)
  local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
  return not pending.err and #pending > 0
end

for i = 3, #ARGV, 2 do
  local letter = 'N'
  if isTaken(ARGV[i]) then
    letter = 'T'
    redis.call('SPUBLISH', channel, ARGV[i + 1])
  elseif redis.call('XDEL', stream, ARGV[i]) == 1 then
    letter = 'W'
  end
  letters[#letters + 1] = letter
end
return table.concat(letters)
