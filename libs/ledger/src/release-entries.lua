#!lua flags=allow-oom
-- Releases entries of a ledger that are in progress: they are absent then, and may be begun again.
--
-- KEYS  the entries
-- ARGV  for each the token under which it is in progress
-- returns for each '+' it is released; '-' nothing is done: it is not in progress under this token; '!<why>' it failed
--
-- Guarantees: neither what is done nor what is in progress under another token is touched; a call may be repeated; an entry that
-- fails does not stop the others.

local function release(key, token)
  local entry = redis.call('GET', key)
  local start = 'p ' .. token .. ' '
  if not entry or string.sub(entry, 1, #start) ~= start then return '-' end
  redis.call('DEL', key)
  return '+'
end

local replies = {}
for i, key in ipairs(KEYS) do
  local good, reply = pcall(release, key, ARGV[i])
  if not good then reply = '!' .. (type(reply) == 'table' and reply.err or tostring(reply)) end
  replies[i] = reply
end
return replies
