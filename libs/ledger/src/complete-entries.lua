#!lua flags=allow-oom
-- Records that entries of a ledger which are in progress are done.
--
-- KEYS  the entries
-- ARGV  1 how long an entry that is done is kept, ms  then for each: the token under which it is in progress; 'd' for one with a
--       result, 't' for one whose result is too large; the result, or ''
-- returns for each '+' it is done, by this call or by an earlier one with the token; '-' nothing is recorded: it is not in progress
--         under this token; '!<why>' it failed
--
-- Guarantees: only the last token of an entry completes it; a call may be repeated, and the first result stays; a full Redis does
-- not keep a result from being recorded; an entry that fails does not stop the others.

local FIRST, FIELDS = 2, 3

local function complete(key, token, state, result)
  local entry = redis.call('GET', key)
  if not entry or string.sub(entry, 2, #token + 2) ~= ' ' .. token then return '-' end
  local standing, behind = string.sub(entry, 1, 1), string.sub(entry, #token + 3, #token + 3)
  if behind ~= ' ' and behind ~= '' then return '-' end
  if standing == 'd' or standing == 't' then return '+' end
  redis.call('SET', key, table.concat({ state, token, result }, ' '), 'PX', ARGV[1])
  return '+'
end

local replies = {}
for i, key in ipairs(KEYS) do
  local at = FIRST + (i - 1) * FIELDS
  local good, reply = pcall(complete, key, ARGV[at], ARGV[at + 1], ARGV[at + 2])
  if not good then reply = '!' .. (type(reply) == 'table' and reply.err or tostring(reply)) end
  replies[i] = reply
end
return replies
