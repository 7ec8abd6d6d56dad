CREATE TABLE IF NOT EXISTS `millrace_inbox` (
  subscriber varbinary(1024) NOT NULL,
  message_id varbinary(1024) NOT NULL,
  handled_at datetime(3) NOT NULL,
  PRIMARY KEY (subscriber, message_id),
  INDEX `millrace_inbox_handled_at` (handled_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS `millrace_owner` (
  subscriber varbinary(1024) NOT NULL,
  `partition` integer NOT NULL,
  epoch bigint NOT NULL,
  member varbinary(1024) NOT NULL,
  PRIMARY KEY (subscriber, `partition`)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
