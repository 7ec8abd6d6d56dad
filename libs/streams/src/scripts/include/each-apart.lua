-- Does the same for several partitions.

-- What is wrong in one partition keeps no other from its turn: its reply is 'FAILED ' and why.
local function apart(work, ...)
  local good, reply = pcall(work, ...)
  if good then return reply end
  return 'FAILED ' .. (type(reply) == 'table' and reply.err or tostring(reply))
end
