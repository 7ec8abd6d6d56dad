#!lua flags=allow-oom
-- Ends a half message without storing it: it is rolled back, or is in another partition.
--
-- KEYS  1 half messages  2 when they are due  3 when they were stored  4, 5 their ends, in alternating windows
-- ARGV  1 id  2 the end, as include/half-messages.lua has it  3 window of the ends, ms  4 '1' when it is gone where it comes from
-- returns 'OK'; 'ENDED <end>' when it had ended, also like this; 'ENDED' when it is not known; 'FROM <partition>', with nothing
-- done, when
--         it may be elsewhere, too
--
-- Guarantees: the first end stands.
--!include include/idempotency-windows.lua
--!include include/half-messages.lua

local keys = { halves = KEYS[1], due = KEYS[2], ages = KEYS[3], ends = { KEYS[4], KEYS[5] } }
local id, text, window = ARGV[1], ARGV[2], tonumber(ARGV[3])

local past = endOf(keys.ends, id, halfNow(), window)
if past then
  removeHalf(keys, id)
  return 'ENDED ' .. past
end
local record = recordOf(keys.halves, id)
if not record then return 'ENDED' end
if record.from ~= '-' and ARGV[4] ~= '1' then return 'FROM ' .. record.from end
markEnd(keys.ends, id, text, window)
removeHalf(keys, id)
return 'OK'
