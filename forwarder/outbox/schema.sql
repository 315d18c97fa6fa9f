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
