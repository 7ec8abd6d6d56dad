#!lua flags=allow-oom
-- Registers, updates or removes an instance of a service.
--
-- KEYS  1 instances  2 state
-- ARGV  1 channel of changes  2 field of the instance  3 its text, or '' to remove it  4 the text that it must have now, or '' for
--       any  5 how many bytes a text that counts has at the most  6 the beginning of the fields of all instances of its service and
--       version, whose contract it must share, or ''
--       then fields of instances that do not count
-- returns { 'done', version }; { 'same', version } when there is nothing to change; { 'conflict', field, text, ... }, up to 16
--         instances with another contract, and nothing is changed
--
-- Guarantees: the version rises with each change, by one; the first one is the time in Unix milliseconds, so that a registry that
-- was lost does not come back to versions that it had, and that first one is kept as 'since'; a change is published with its version, its field and its text; an
-- instance whose contract is not that of the others is not registered; a call may be repeated; a full Redis refuses nothing, as
-- the registry has a place for each instance that lives and no more.

local MOST_CONFLICTS, FIRST_IGNORED = 16, 7
local channel, field, text, expected = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local function same()
  return { 'same', redis.call('HGET', KEYS[2], 'version') or '0' }
end

local function contractOf(instance)
  return string.match(instance, '^%S*')
end

local function conflicts(siblings)
  local ignored, found = { [field] = true }, {}
  for i = FIRST_IGNORED, #ARGV do ignored[ARGV[i]] = true end
  for _, other in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(other, 1, #siblings) == siblings and not ignored[other] then
      local instance = redis.call('HGET', KEYS[1], other)
      -- It was registered in the same way, so the others agree with it.
      if contractOf(instance) == contractOf(text) then return {} end
      if #instance <= tonumber(ARGV[5]) and #found < MOST_CONFLICTS * 2 then
        found[#found + 1] = other
        found[#found + 1] = instance
      end
    end
  end
  return found
end

local standing = redis.call('HGET', KEYS[1], field)
if (standing or '') == text then return same() end
if expected ~= '' and standing ~= expected then return same() end
if text == '' then
  redis.call('HDEL', KEYS[1], field)
else
  if ARGV[6] ~= '' and not (standing and contractOf(standing) == contractOf(text)) then
    local found = conflicts(ARGV[6])
    if #found > 0 then return { 'conflict', unpack(found) } end
  end
  redis.call('HSET', KEYS[1], field, text)
end
if redis.call('HEXISTS', KEYS[2], 'version') == 0 then
  local time = redis.call('TIME')
  local first = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  redis.call('HSET', KEYS[2], 'version', first, 'since', first)
end
local version = redis.call('HINCRBY', KEYS[2], 'version', 1)
-- Where the Redis user may not publish to the channel, the change stays: the others ask for the version.
redis.pcall('SPUBLISH', channel, table.concat({ string.format('%.0f', version), field, text }, '\n'))
return { 'done', string.format('%.0f', version) }
