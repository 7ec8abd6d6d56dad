#!lua
-- Begins entries of a ledger, each for the holder that asks for it, unless it is in progress elsewhere or done.
--
-- KEYS  the entries
-- ARGV  1 how long an entry in progress is kept, ms  then for each: the token that it gets, its holder, and the token of an entry
--       in progress that it may replace, or ''
-- returns for each '+' it is in progress under the new token, '^' in place of the one that it might replace,
--         'h<ms> <token> <holder>' it has been in progress for so long under another token, 'd<result>' it is done,
--         't' it is done and its result was too large to be kept, '!<why>' it failed
--
-- Guarantees: an entry is in progress under one token at a time, and one that is done is never in progress again; a full Redis
-- refuses the call, so that nothing is begun without a record; an entry that fails does not stop the others.

local FIRST, FIELDS = 2, 3
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function begin(key, token, holder, replaced)
  local entry, sign = redis.call('GET', key), '+'
  if entry then
    local state, standing, rest = string.match(entry, '^([pdt]) (%S+) ?(.*)$')
    if not state then return '!it holds no entry of a ledger' end
    if state == 'd' then return 'd' .. rest end
    if state == 't' then return 't' end
    if standing ~= replaced then
      local since, other = string.match(rest, '^(%d+) (.*)$')
      return 'h' .. string.format('%.0f', now - (since or now)) .. ' ' .. standing .. ' ' .. (other or '')
    end
    sign = '^'
  end
  redis.call('SET', key, table.concat({ 'p', token, string.format('%.0f', now), holder }, ' '), 'PX', ARGV[1])
  return sign
end

local replies = {}
for i, key in ipairs(KEYS) do
  local at = FIRST + (i - 1) * FIELDS
  local good, reply = pcall(begin, key, ARGV[at], ARGV[at + 1], ARGV[at + 2])
  if not good then reply = '!' .. (type(reply) == 'table' and reply.err or tostring(reply)) end
  replies[i] = reply
end
return replies
