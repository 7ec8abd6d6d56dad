-- The end of a log.

-- The last id that was used, also when its entry is gone.
local function lastIdOf(log)
  local info = redis.call('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end
