#!lua flags=no-writes
-- Reads a page of the instances.
--
-- KEYS  1 instances  2 state
-- ARGV  1 cursor of the page, '0' for the first  2 about how many instances to look at  3 the most bytes of a field  4 the most
--       bytes of a text  then the services that are wanted; none for all
-- returns { cursor of the next page or '0', version, how many were passed over, the first version that this registry had or '',
--         then field and text of each instance }
--
-- Guarantees: an instance that is there from the first page to the last is in one of them, perhaps in several; one that is too
-- large is passed over, so that a page is bounded.

local FIRST_SERVICE = 5
local longestField, longestText = tonumber(ARGV[3]), tonumber(ARGV[4])
local wanted = {}
for i = FIRST_SERVICE, #ARGV do wanted[ARGV[i]] = true end

local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local state, passed = redis.call('HMGET', KEYS[2], 'version', 'since'), 0
local reply = { page[1], state[1] or '0', 0, state[2] or '' }
for i = 1, #page[2], 2 do
  local field, text = page[2][i], page[2][i + 1]
  if #ARGV < FIRST_SERVICE or wanted[string.match(field, '^[^:]*')] then
    if #field <= longestField and #text <= longestText then
      reply[#reply + 1] = field
      reply[#reply + 1] = text
    else
      passed = passed + 1
    end
  end
end
reply[3] = passed
return reply
