#!lua flags=allow-oom
-- The index of a topic's half messages: which partitions may have some, and when to look at each.
--
-- KEYS  1 index
-- ARGV  1 'promise' then: 2 partition  3 how long until a half message of it is due, ms
--         'take' then: 2 for how long the partitions are taken, ms
--         'done' then: 2 partition  3 the mark of its take  4 ms until its next half message is due, or -1 when it has none
-- returns for a promise { until when somebody looks at the partition, Unix ms, how late its look is, ms, now, Unix ms };
--         for a take { ms until the next look, or -1 when there is none, then for each partition that is due: number, mark };
--         else nothing
--
-- Field `<partition>`: `<next look> <until when half messages may come that no other look is promised to>`, Unix ms; `seen`: when
-- a process last asked.
--
-- Guarantees: a half message that is stored while its promise holds is looked at when it is due, or when its promise ends:
-- whoever looks meanwhile, and finds nothing, leaves the index as it was promised.
local index, step = KEYS[1], ARGV[1]
-- The clocks of two nodes may differ by so much, ms.
local MARGIN = 30000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function keep(partition, next, promised)
  redis.call('HSET', index, partition, string.format('%.0f %.0f', next, promised))
end

local function lookOf(text)
  local next, promised = string.match(text or '', '^(%d+) (%d+)$')
  return tonumber(next), tonumber(promised)
end

if step == 'promise' then
  local partition, at = ARGV[2], now + ARGV[3]
  local next, promised = lookOf(redis.call('HGET', index, partition))
  local till = next and next > now and math.min(next, at) or at
  keep(partition, math.min(next or at, at), math.max(promised or 0, till))
  return { string.format('%.0f', till), math.max(0, now - (next or now)), string.format('%.0f', now) }
end

if step == 'take' then
  redis.call('HSET', index, 'seen', string.format('%.0f', now))
  local reply, first = { -1 }, math.huge
  local fields = redis.call('HGETALL', index)
  for i = 1, #fields, 2 do
    local next, promised = lookOf(fields[i + 1])
    if next and next <= now then
      next = now + ARGV[2]
      keep(fields[i], next, promised)
      reply[#reply + 1] = fields[i]
      reply[#reply + 1] = string.format('%.0f', next)
    end
    if next and next < first then first = next end
  end
  if first < math.huge then reply[1] = first - now end
  return reply
end

local partition, mark, inMs = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local next, promised = lookOf(redis.call('HGET', index, partition))
if not next or next ~= mark then return end
local due = inMs >= 0 and now + inMs or math.huge
if promised > now then due = math.min(due, promised)
elseif promised + MARGIN > now then due = math.min(due, promised + MARGIN) end
if due < math.huge then keep(partition, due, promised) else redis.call('HDEL', index, partition) end
