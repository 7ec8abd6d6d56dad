#!lua flags=allow-oom
-- Settles requests of one stream, and answers them.
--
-- KEYS  1 stream of requests  then the inboxes that are answered to
-- ARGV  1 group  2 '1' when another instance may have taken some of them over, or this call may be a repeated one
--       3 how many requests  then their entry ids: those of the first inbox, of the next and so on, then those without an answer
--       then for each inbox: how many answers go to it  then the field and the value of each
-- returns { a letter for each request, Redis's time in Unix milliseconds }
--         'A' answered, 'S' settled without an answer, 'D' settled, but its inbox is not there, so the answer is dropped,
--         'F' settled before, with nothing done
--
-- Guarantees: where others may have them, a request is answered once; the answers that go to one inbox are one entry of it; an
-- inbox is not made; a call may be repeated.
local stream, group, isUnsure, count = KEYS[1], ARGV[1], ARGV[2] == '1', tonumber(ARGV[3])
local FIRST = 4
local last = FIRST + count - 1

local function addTo(inbox, ...)
  -- A forged address may name a key of another type.
  return type(redis.pcall('XADD', KEYS[inbox + 1], 'NOMKSTREAM', '*', ...)) == 'string'
end

-- Nobody else has them: no request is looked at by itself.
local function settleAll()
  local isHeld = redis.call('XACK', stream, group, unpack(ARGV, FIRST, last)) > 0
  if not isHeld then return string.rep('F', count) end
  redis.call('XDEL', stream, unpack(ARGV, FIRST, last))
  local letters, answered, at = '', 0, last + 1
  for inbox = 1, #KEYS - 1 do
    local answers = tonumber(ARGV[at])
    local isThere = addTo(inbox, unpack(ARGV, at + 1, at + answers * 2))
    letters = letters .. string.rep(isThere and 'A' or 'D', answers)
    answered, at = answered + answers, at + 1 + answers * 2
  end
  return letters .. string.rep('S', count - answered)
end

local function settle(index)
  local id = ARGV[FIRST + index]
  if redis.call('XACK', stream, group, id) == 0 then return false end
  redis.call('XDEL', stream, id)
  return true
end

local function settleEach()
  local letters, index, at = {}, 0, last + 1
  for inbox = 1, #KEYS - 1 do
    local answers, fields, first = tonumber(ARGV[at]), {}, index
    for answer = 1, answers do
      local isOurs = settle(index)
      index = index + 1
      letters[index] = isOurs and 'A' or 'F'
      if isOurs then
        fields[#fields + 1] = ARGV[at + answer * 2 - 1]
        fields[#fields + 1] = ARGV[at + answer * 2]
      end
    end
    local isDropped = #fields > 0 and not addTo(inbox, unpack(fields))
    for each = first + 1, index do if isDropped and letters[each] == 'A' then letters[each] = 'D' end end
    at = at + 1 + answers * 2
  end
  for rest = index, count - 1 do letters[rest + 1] = settle(rest) and 'S' or 'F' end
  return table.concat(letters)
end

local letters = isUnsure and settleEach() or settleAll()
local now = redis.call('TIME')
return { letters, now[1] * 1000 + math.ceil(now[2] / 1000) }
