#!lua flags=allow-oom
-- Reads which entries the forward log of a group has, at one moment.
--
-- KEYS  1 control  2 forward log
-- returns { '<member> <generation> <last number>' of each lane, with line breaks between them, the names of the entries ... }
--
-- Guarantees: where it finds entries it writes, so that a WAIT behind it covers all of them.
local control, forward = KEYS[1], KEYS[2]
local lanes = {}
for lane = 1, tonumber(redis.call('HGET', control, 'lanes') or nil) or 0 do
  lanes[lane] = redis.call('HGET', control, 'lane:' .. lane - 1) or '- - 0'
end
local reply = redis.call('HKEYS', forward)
if #reply > 0 then redis.call('HINCRBY', control, 'forwardsRead', 1) end
table.insert(reply, 1, table.concat(lanes, '\n'))
return reply
