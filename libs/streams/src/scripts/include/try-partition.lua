-- Runs the work of a script for one of several partitions. An error does not stop the others: the reply is 'FAILED <message>'.
local function tryPartition(work, ...)
  local good, reply = pcall(work, ...)
  if good then return reply end
  return 'FAILED ' .. (type(reply) == 'table' and reply.err or tostring(reply))
end
