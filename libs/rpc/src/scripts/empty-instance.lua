#!lua flags=allow-oom
-- Takes requests out of the stream of an instance that is gone, and removes the stream when it is empty.
--
-- KEYS  1 stream of requests of the instance
-- ARGV  1 group  2 how many to take
-- returns { '1' when the stream is gone, for each request: { its id, '1' when the instance held it, its fields } }
--
-- Guarantees: each request is given to one caller of this script; it cannot be executed any more.
local stream, group = KEYS[1], ARGV[1]
local taken = {}
for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', ARGV[2])) do
  local id = entry[1]
  local held = redis.pcall('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
  taken[#taken + 1] = { id, held == 1 and '1' or '0', entry[2] }
end
local isGone = redis.call('XLEN', stream) == 0
if isGone then redis.call('DEL', stream) end
return { isGone and '1' or '0', taken }
