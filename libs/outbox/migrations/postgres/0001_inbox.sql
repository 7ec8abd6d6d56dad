CREATE TABLE IF NOT EXISTS "millrace_inbox" (
  subscriber text NOT NULL,
  message_id text NOT NULL,
  handled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subscriber, message_id)
);

CREATE INDEX IF NOT EXISTS "millrace_inbox_handled_at" ON "millrace_inbox" (handled_at);

CREATE TABLE IF NOT EXISTS "millrace_owner" (
  subscriber text NOT NULL,
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  member text NOT NULL,
  PRIMARY KEY (subscriber, partition)
);
