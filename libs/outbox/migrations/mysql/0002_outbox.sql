CREATE TABLE IF NOT EXISTS `millrace_outbox` (
  position bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  lane smallint NOT NULL,
  kind varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  target varchar(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_key varchar(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  envelope mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  payload longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
  attempts integer NOT NULL DEFAULT 0,
  created_at datetime(6) NOT NULL,
  next_at datetime(6),
  last_error text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  INDEX millrace_outbox_by_lane (state, lane, position),
  INDEX millrace_outbox_by_time (state, next_at)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS `millrace_outbox_lane` (lane smallint PRIMARY KEY) ENGINE = InnoDB;

INSERT IGNORE INTO `millrace_outbox_lane` (lane) VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30), (31), (32), (33), (34), (35), (36), (37), (38), (39), (40), (41), (42), (43), (44), (45), (46), (47), (48), (49), (50), (51), (52), (53), (54), (55), (56), (57), (58), (59), (60), (61), (62), (63);
