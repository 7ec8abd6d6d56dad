-- Adds messages and jobs that handlers forward to the forward log of their group, a hash. Each member adds in a lane of its own, and
-- numbers them: the hash `control` has `lanes`, how many there are, and for each `lane:<n>`: its member, the generation of its
-- numbers, the last number. A field of the forward log is `<lane>:<generation>:<first number>:<how many>`.

-- The lane, when it is that of the member; nil when it is another's by now.
local function laneOf(control, lane, member)
  local owner, generation, last = string.match(redis.call('HGET', control, 'lane:' .. lane) or '', '^(%S+) (%S+) (%d+)$')
  if owner ~= member then return nil end
  return { name = lane, member = member, generation = generation, last = tonumber(last) }
end

-- A server that restarts, or a replica that is promoted, may have lost the last numbers: they are never given again, since the
-- numbers begin anew in another generation.
local function renew(lane)
  local server = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or '-'
  server = string.sub(server, 1, 12)
  if string.sub(lane.generation, 1, #server + 1) == server .. '.' then return end
  local time = redis.call('TIME')
  lane.generation, lane.last = server .. '.' .. time[1] .. string.format('%06d', time[2]), 0
end

-- Adds texts in their order, and returns the name of the field. The number comes first: when the adding fails it is not used again.
local function addForwards(keys, lane, texts, count)
  renew(lane)
  local name = string.format('%s:%s:%.0f:%.0f', lane.name, lane.generation, lane.last + 1, count)
  lane.last = lane.last + count
  redis.call('HSET', keys.control, 'lane:' .. lane.name, lane.member .. ' ' .. lane.generation .. string.format(' %.0f', lane.last))
  redis.call('HSET', keys.forward, name, table.concat(texts, '\n'))
  return name
end
