-- Version 7. Times are Unix milliseconds. An event's body is the frame as it came.
-- An event and what was sent of it lie side by side in the order of arrival, so that a commit touches few pages.

CREATE TABLE events (
  seq          INTEGER PRIMARY KEY,          -- given by the daemon, growing
  id           TEXT NOT NULL,                -- of source, mid, sid and payload; comes again when the dedupe window is over
  source       TEXT NOT NULL,
  mid          TEXT NOT NULL,
  sid          TEXT NOT NULL,
  timestamp_ms REAL NOT NULL,
  accepted_ms  INTEGER NOT NULL,
  planned      INTEGER NOT NULL,             -- how many deliveries it must have: the ledger counts on it
  body         BLOB NOT NULL
) STRICT;

CREATE INDEX events_by_age ON events (accepted_ms, source, mid, sid, id);   -- lists, and finds an id, without touching a body

-- deliveries begin --
CREATE TABLE deliveries (
  event_seq        INTEGER NOT NULL REFERENCES events (seq),
  destination      TEXT NOT NULL,
  routes           TEXT NOT NULL,            -- a JSON list of names
  status           TEXT NOT NULL CHECK (status IN ('pending', 'in_flight', 'delivered', 'dead', 'expired', 'skipped')),
  trigger          TEXT NOT NULL,            -- what its next first attempt is: first, manual, replay, recovered
  attempts         INTEGER NOT NULL,         -- made and counted since then
  earlier_attempts INTEGER NOT NULL,         -- made before a person had it tried again
  expedited        INTEGER NOT NULL,         -- how often a recovery of its destination brought it forward
  due_ms           INTEGER NOT NULL,
  closed_ms        INTEGER,                  -- when it was delivered, died or was skipped
  started_ms       INTEGER,                  -- the last attempt, here to the end; those before it are in attempts
  duration_ms      REAL,
  http_status      INTEGER,                  -- NULL where no answer came
  reason           TEXT,                     -- why it failed, died or was skipped
  excerpt          TEXT,                     -- of the answer's body
  refusals         INTEGER NOT NULL,         -- how many attempts were refused as if something were set up wrongly
  order_key        TEXT,                     -- those of a destination with the same one go one after the other
  receipt          TEXT,                     -- what the receiver calls the message that it made of it
  awaits_full      INTEGER NOT NULL DEFAULT 0,  -- until it is due, it waits for: 1: the full text of its post; 2: the end of quiet hours; 3: their digest
  edits            INTEGER,                  -- the number of the event whose message it changes
  priority         INTEGER NOT NULL DEFAULT 0,  -- 1: a route with a high priority chose it
  PRIMARY KEY (event_seq, destination)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (destination, due_ms) WHERE status = 'pending' AND order_key IS NULL;
CREATE INDEX deliveries_high ON deliveries (destination, due_ms, event_seq, order_key)
  WHERE status = 'pending' AND priority > 0;
CREATE INDEX deliveries_in_order ON deliveries (destination, order_key, event_seq, due_ms)
  WHERE status = 'pending' AND order_key IS NOT NULL;
CREATE INDEX deliveries_in_flight ON deliveries (event_seq) WHERE status = 'in_flight';
CREATE INDEX deliveries_dead ON deliveries (closed_ms) WHERE status IN ('dead', 'expired');

CREATE TABLE destinations (                  -- those of which something must outlast a restart
  name             TEXT PRIMARY KEY,
  paused_ms        INTEGER,                  -- since when it is paused, NULL: it is not
  paused_by        TEXT,                     -- person, receiver (its 410), failures (days of nothing else)
  paused_why       TEXT,
  failing_since_ms INTEGER,                  -- the first failure that no success has followed
  told_ms          INTEGER                   -- when another destination was notified of it
) STRICT, WITHOUT ROWID;

-- deliveries end --
CREATE TABLE attempts (                      -- all but the last one of each delivery
  event_seq   INTEGER NOT NULL,
  destination TEXT NOT NULL,
  number      INTEGER NOT NULL,
  started_ms  INTEGER NOT NULL,
  duration_ms REAL NOT NULL,
  http_status INTEGER,
  reason      TEXT,
  excerpt     TEXT,
  PRIMARY KEY (event_seq, destination, number),
  FOREIGN KEY (event_seq, destination) REFERENCES deliveries (event_seq, destination)
) STRICT, WITHOUT ROWID;

CREATE TABLE books (                         -- what came in and what was pruned, by the minute of acceptance
  minute INTEGER NOT NULL,                   -- Unix minutes
  entry  TEXT NOT NULL,
  count  INTEGER NOT NULL,
  PRIMARY KEY (minute, entry)
) STRICT, WITHOUT ROWID;

-- revisions begin --
CREATE TABLE config_revisions (              -- the routing part of each active config, as long as there is an event of its time
  first_seq INTEGER PRIMARY KEY,             -- the number of the first event that it routed, or would have routed
  loaded_ms INTEGER NOT NULL,
  digest    TEXT NOT NULL,
  routing   BLOB NOT NULL                    -- see core/config/revision.py
) STRICT;
-- revisions end --
-- gaps begin --
CREATE TABLE gaps (                          -- for how long a stream was away: see core/gaps/gap.py
  id         INTEGER PRIMARY KEY,
  stream     TEXT NOT NULL,
  began_ms   INTEGER NOT NULL,
  noticed_ms INTEGER NOT NULL,
  ended_ms   INTEGER,                        -- NULL: it lasts
  reason     TEXT NOT NULL,
  is_covered INTEGER NOT NULL,               -- another stream was open all the time
  repair     TEXT NOT NULL,                  -- off, not_needed, pending, done, partial, failed
  found      INTEGER NOT NULL,
  recovered  INTEGER NOT NULL,
  note       TEXT NOT NULL
) STRICT;

CREATE INDEX gaps_open ON gaps (id) WHERE ended_ms IS NULL OR repair = 'pending';

CREATE TABLE recovered_events (              -- those that the repair of a gap brought, and no stream
  event_seq INTEGER PRIMARY KEY REFERENCES events (seq),
  gap_id    INTEGER NOT NULL                 -- goes with its event, which may outlast the gap's row
) STRICT;
-- gaps end --
CREATE TABLE state (                         -- batch: the number of the last batch committed; last_heard: when a stream was last known to be open
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO state (name, value) VALUES ('batch', 0);
