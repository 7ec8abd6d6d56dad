#!lua
-- Removes the inbox of a call that was not sent, unless somebody has added to it since it was made.
--
-- KEYS  1 inbox
-- returns 1 when it was removed, else 0
if redis.call('XLEN', KEYS[1]) > 1 then return 0 end
return redis.call('DEL', KEYS[1])
