CREATE TABLE IF NOT EXISTS "millrace_outbox" (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id uuid NOT NULL,
  lane smallint NOT NULL,
  kind text NOT NULL,
  target text NOT NULL,
  message_key text,
  envelope text NOT NULL,
  payload text NOT NULL,
  state text NOT NULL DEFAULT 'pending',
  attempts integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  next_at timestamptz,
  last_error text
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);

CREATE INDEX IF NOT EXISTS millrace_outbox_pending ON "millrace_outbox" (lane, position) WHERE state = 'pending';

CREATE INDEX IF NOT EXISTS millrace_outbox_waiting ON "millrace_outbox" (lane, next_at) WHERE state = 'waiting';

CREATE INDEX IF NOT EXISTS millrace_outbox_published ON "millrace_outbox" (next_at) WHERE state = 'published';

CREATE INDEX IF NOT EXISTS millrace_outbox_dead ON "millrace_outbox" (position) WHERE state = 'dead';

CREATE TABLE IF NOT EXISTS "millrace_outbox_lane" (lane smallint PRIMARY KEY);

INSERT INTO "millrace_outbox_lane" (lane) SELECT generate_series(0, 63) ON CONFLICT DO NOTHING;
