-- Version 1. Times are Unix milliseconds. An event's body is the frame as it came.

CREATE TABLE events (
  seq          INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  source       TEXT NOT NULL,
  mid          TEXT NOT NULL,
  sid          TEXT NOT NULL,
  timestamp_ms REAL NOT NULL,
  accepted_ms  INTEGER NOT NULL,
  body         BLOB NOT NULL
) STRICT;

CREATE INDEX events_by_age ON events (accepted_ms);        -- what the dedupe reads at start

CREATE TABLE deliveries (
  seq         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,          -- the webhook-id
  event_seq   INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
  destination TEXT NOT NULL,
  routes      TEXT NOT NULL,                 -- a JSON list of names
  status      TEXT NOT NULL CHECK (status IN ('pending', 'in_flight', 'delivered', 'dead')),
  attempts    INTEGER NOT NULL DEFAULT 0,    -- made and counted
  expedited   INTEGER NOT NULL DEFAULT 0,    -- how often a recovery of its destination brought it forward
  due_ms      INTEGER NOT NULL,
  closed_ms   INTEGER,                       -- when it was delivered or died
  reason      TEXT                           -- of the last failure
) STRICT;

CREATE INDEX deliveries_due ON deliveries (destination, due_ms, seq) WHERE status = 'pending';
CREATE INDEX deliveries_in_flight ON deliveries (seq) WHERE status = 'in_flight';
CREATE INDEX deliveries_of_event ON deliveries (event_seq);

CREATE TABLE attempts (
  delivery_seq INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
  number       INTEGER NOT NULL,
  started_ms   INTEGER NOT NULL,
  duration_ms  REAL NOT NULL,
  status       INTEGER,                      -- HTTP status; NULL where no answer came
  reason       TEXT,                         -- NULL where it was delivered
  excerpt      TEXT,                         -- of the answer's body
  PRIMARY KEY (delivery_seq, number)
) STRICT, WITHOUT ROWID;

PRAGMA application_id = 0x46574452;
PRAGMA user_version = 1;

INSERT INTO events VALUES
  (1, '0123456789abcdef0123456789abcdef', 'x', '11', '7', 1767225600000.0, 1767225600100, CAST('{"mid":"11"}' AS BLOB)),
  (2, '1123456789abcdef0123456789abcdef', 'x', '12', '7', 1767225601000.0, 1767225601100, CAST('{"mid":"12"}' AS BLOB)),
  (5, '2123456789abcdef0123456789abcdef', 'telegram', '13', '8', 1767225662000.0, 1767225662100, CAST('{"mid":"13"}' AS BLOB)),
  (6, '3123456789abcdef0123456789abcdef', 'discord', '14', '9', 1767225663000.0, 1767225663100, CAST('{"mid":"14"}' AS BLOB));
INSERT INTO deliveries VALUES
  (1, 'msg_a', 1, 'bot', '["r"]', 'delivered', 2, 0, 1767225600100, 1767225602000, NULL),
  (2, 'msg_b', 1, 'alerts', '["r","s"]', 'dead', 1, 0, 1767225600100, 1767225600200, 'HTTP 400'),
  (3, 'msg_c', 2, 'bot', '["r"]', 'pending', 1, 1, 1767229200000, NULL, 'HTTP 503'),
  (4, 'msg_d', 5, 'bot', '["r"]', 'in_flight', 0, 0, 1767225662100, NULL, NULL);
INSERT INTO attempts VALUES
  (1, 1, 1767225600100, 3.5, 503, 'HTTP 503', 'busy'),
  (1, 2, 1767225601000, 2.5, 200, NULL, 'ok'),
  (2, 1, 1767225600101, 4.5, 400, 'HTTP 400', 'no'),
  (3, 1, 1767225601101, 5.5, 503, 'HTTP 503', 'busy');
