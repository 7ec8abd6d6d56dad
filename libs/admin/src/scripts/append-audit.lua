#!lua flags=allow-oom
-- Adds an entry to the audit stream, and removes the oldest ones beyond its length.
--
-- KEYS  1 audit stream
-- ARGV  1 the entry, as JSON  2 most entries
-- returns the id of the entry
--
-- Guarantees: what frees memory may be done, and written down, while Redis is full.
return redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'e', ARGV[1])
