-- name: insert_event
INSERT INTO events (seq, id, source, mid, sid, timestamp_ms, accepted_ms, planned, body)

-- name: upsert_delivery
INSERT INTO deliveries (
  event_seq, destination, routes, status, trigger, attempts, earlier_attempts, expedited, due_ms, closed_ms,
  started_ms, duration_ms, http_status, reason, excerpt, refusals, order_key, receipt,
  awaits_full, edits, priority
)

-- name: upsert_delivery_conflict
ON CONFLICT (event_seq, destination) DO UPDATE SET
  status = excluded.status, trigger = excluded.trigger, attempts = excluded.attempts,
  earlier_attempts = excluded.earlier_attempts, expedited = excluded.expedited, due_ms = excluded.due_ms,
  closed_ms = excluded.closed_ms, started_ms = excluded.started_ms, duration_ms = excluded.duration_ms,
  http_status = excluded.http_status, reason = excluded.reason, excerpt = excluded.excerpt,
  refusals = excluded.refusals, order_key = excluded.order_key, receipt = excluded.receipt,
  awaits_full = excluded.awaits_full, edits = excluded.edits

-- name: insert_attempt
INSERT OR REPLACE INTO attempts (
  event_seq, destination, number, started_ms, duration_ms, http_status, reason, excerpt
)

-- name: add_to_ledger
INSERT INTO books (minute, entry, count)

-- name: add_to_ledger_conflict
ON CONFLICT (minute, entry) DO UPDATE SET count = count + excluded.count

-- name: last_batch
SELECT value FROM state WHERE name = 'batch';

-- name: has_batch
SELECT EXISTS (SELECT 1 FROM state WHERE name = 'batch' AND value >= ?);

-- name: has_event
SELECT EXISTS (SELECT 1 FROM events WHERE seq = ?);

-- name: note_batch
UPDATE state SET value = ? WHERE name = 'batch';

-- name: last_seq
SELECT coalesce(max(seq), 0) FROM events;

-- name: release_all
UPDATE deliveries SET status = 'pending' WHERE status = 'in_flight';

-- name: next_due
-- In the order they fall due, from the index alone: memory knows which of them a lane has.
SELECT event_seq, due_ms FROM deliveries
WHERE destination = :destination AND status = 'pending' AND order_key IS NULL
ORDER BY due_ms, event_seq LIMIT :limit;

-- name: next_due_normal
-- The same without those with a high priority. Only among so many that are due first, so that thousands of others are not read each time.
SELECT event_seq, due_ms FROM (
  SELECT event_seq, due_ms, priority FROM deliveries
  WHERE destination = :destination AND status = 'pending' AND order_key IS NULL
  ORDER BY due_ms, event_seq LIMIT max(:limit, 2000)
) WHERE priority = 0
ORDER BY due_ms, event_seq LIMIT :limit;

-- name: next_due_high
-- The same of those with a high priority alone.
SELECT event_seq, due_ms FROM deliveries
WHERE destination = :destination AND status = 'pending' AND order_key IS NULL AND priority > 0
ORDER BY due_ms, event_seq LIMIT :limit;

-- name: high_order_keys
-- The order keys of those with a high priority.
SELECT DISTINCT order_key FROM deliveries INDEXED BY deliveries_high
WHERE destination = :destination AND status = 'pending' AND order_key IS NOT NULL AND priority > 0;

-- name: next_early
-- The same whenever they are due, but for those that wait for the full text.
SELECT event_seq, due_ms FROM deliveries
WHERE destination = :destination AND status = 'pending' AND order_key IS NULL
  AND (due_ms <= :now_ms OR NOT awaits_full) AND priority BETWEEN :least AND :most
ORDER BY due_ms, event_seq LIMIT :limit;

-- name: oldest_waiting
-- The last of the oldest events of which something waits.
SELECT max(event_seq) FROM (
  SELECT DISTINCT event_seq FROM deliveries WHERE status IN ('pending', 'in_flight') ORDER BY event_seq LIMIT :limit
);

-- name: next_of_oldest
SELECT event_seq, due_ms FROM deliveries
WHERE event_seq <= :until_seq AND destination = :destination AND status = 'pending' AND order_key IS NULL
  AND priority BETWEEN :least AND :most
ORDER BY due_ms, event_seq;

-- name: next_in_order
SELECT event_seq, due_ms FROM deliveries
WHERE destination = :destination AND status = 'pending' AND order_key = :order_key
ORDER BY event_seq LIMIT :limit;

-- name: order_keys
-- One step of the index for each key, however many deliveries it has.
WITH RECURSIVE keys (key) AS (
  SELECT min(order_key) FROM deliveries INDEXED BY deliveries_in_order
  WHERE destination = :destination AND status = 'pending' AND order_key IS NOT NULL
  UNION ALL
  SELECT (SELECT min(order_key) FROM deliveries INDEXED BY deliveries_in_order
    WHERE destination = :destination AND status = 'pending' AND order_key IS NOT NULL AND order_key > key)
  FROM keys WHERE key IS NOT NULL
)
SELECT key FROM keys WHERE key IS NOT NULL;

-- name: waiting_in_order
-- What waits, oldest first, with what its place in an order depends on.
SELECT d.event_seq, d.destination, d.routes, d.status, d.trigger, d.attempts, d.earlier_attempts, d.expedited, d.due_ms,
  d.closed_ms, d.started_ms, d.duration_ms, d.http_status, d.reason, d.excerpt, d.refusals, d.order_key, d.receipt,
  d.awaits_full, d.edits, d.priority, e.source, e.sid
FROM deliveries AS d JOIN events AS e ON e.seq = d.event_seq
WHERE d.destination = :destination AND d.status = 'pending' AND d.event_seq > :after_seq
ORDER BY d.event_seq LIMIT :limit;

-- name: is_ordered
SELECT EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_in_order
  WHERE destination = :destination AND status = 'pending' AND order_key IS NOT NULL);

-- name: is_pending
SELECT EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_due
  WHERE destination = :destination AND status = 'pending' AND order_key IS NULL)
OR EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_in_order
  WHERE destination = :destination AND status = 'pending' AND order_key IS NOT NULL);

-- name: known_destinations
SELECT name, paused_ms, paused_by, paused_why, failing_since_ms, told_ms FROM destinations;

-- name: note_destination
INSERT INTO destinations (name, paused_ms, paused_by, paused_why, failing_since_ms, told_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET paused_ms = excluded.paused_ms, paused_by = excluded.paused_by,
  paused_why = excluded.paused_why, failing_since_ms = excluded.failing_since_ms, told_ms = excluded.told_ms;

-- name: claimed
SELECT d.event_seq, d.destination, d.routes, d.status, d.trigger, d.attempts, d.earlier_attempts, d.expedited, d.due_ms,
  d.closed_ms, d.started_ms, d.duration_ms, d.http_status, d.reason, d.excerpt, d.refusals, d.order_key, d.receipt,
  d.awaits_full, d.edits, d.priority, e.id, e.accepted_ms, e.body, e.source, e.sid,
  EXISTS (SELECT 1 FROM recovered_events AS r WHERE r.event_seq = e.seq)
FROM deliveries AS d JOIN events AS e ON e.seq = d.event_seq
WHERE d.event_seq = :event_seq AND d.destination = :destination;

-- name: event
SELECT id, accepted_ms, body, source, sid, EXISTS (SELECT 1 FROM recovered_events WHERE event_seq = seq)
FROM events WHERE seq = ?;

-- name: in_flight
SELECT event_seq, destination, routes, status, trigger, attempts, earlier_attempts, expedited, due_ms, closed_ms,
  started_ms, duration_ms, http_status, reason, excerpt, refusals, order_key, receipt, awaits_full, edits, priority
FROM deliveries INDEXED BY deliveries_in_flight WHERE status = 'in_flight' ORDER BY event_seq LIMIT :limit;

-- name: expedite
-- Due since it was accepted, so that the oldest goes first, and in any case now: the wall clock may have been set. Only so often: what fails by its own fault, amid the
-- successes of others, must not run through its attempts in minutes. What waits for the full text waits on.
UPDATE deliveries
SET due_ms = min(:now_ms, (SELECT accepted_ms FROM events WHERE events.seq = event_seq) - :offset_ms), expedited = expedited + 1
WHERE destination = :destination AND event_seq IN (
  SELECT event_seq FROM deliveries
  WHERE destination = :destination AND status = 'pending' AND order_key IS NULL AND due_ms > :now_ms
    AND expedited < :most AND NOT awaits_full
  ORDER BY due_ms, event_seq LIMIT :limit
);

-- name: expedite_in_order
-- The first of each key alone: the others wait for it, not for their time.
UPDATE deliveries
SET due_ms = min(:now_ms, (SELECT accepted_ms FROM events WHERE events.seq = event_seq) - :offset_ms), expedited = expedited + 1
WHERE destination = :destination AND due_ms > :now_ms AND expedited < :most AND NOT awaits_full AND event_seq IN (
  WITH RECURSIVE keys (key) AS (
    SELECT min(order_key) FROM deliveries INDEXED BY deliveries_in_order
    WHERE destination = :destination AND status = 'pending' AND order_key IS NOT NULL
    UNION ALL
    SELECT (SELECT min(order_key) FROM deliveries INDEXED BY deliveries_in_order
      WHERE destination = :destination AND status = 'pending' AND order_key IS NOT NULL AND order_key > key)
    FROM keys WHERE key IS NOT NULL
  )
  SELECT (SELECT min(event_seq) FROM deliveries INDEXED BY deliveries_in_order
    WHERE destination = :destination AND status = 'pending' AND order_key IS NOT NULL AND order_key = key)
  FROM keys WHERE key IS NOT NULL
);

-- name: recent_events
SELECT substr(id, 1, 16) FROM events WHERE accepted_ms >= :since_ms AND accepted_ms < :until_ms
ORDER BY accepted_ms DESC LIMIT :limit;

-- name: recent_posts
SELECT e.seq, e.source, e.mid, d.destination, d.routes, e.accepted_ms, iif(d.status = 'skipped', d.reason, NULL),
  iif(d.status = 'pending' AND d.awaits_full = 1, d.due_ms, NULL)
FROM (
  SELECT seq, source, mid, accepted_ms FROM events INDEXED BY events_by_age
  WHERE accepted_ms >= :since_ms AND source IN ('x', 'fast-x') ORDER BY accepted_ms DESC LIMIT :limit
) AS e JOIN deliveries AS d ON d.event_seq = e.seq
ORDER BY e.seq;

-- name: skip_waiting
-- Only where it still waits: one that was attempted is left alone.
UPDATE deliveries SET status = 'skipped', reason = :cause, closed_ms = :now_ms, awaits_full = 0
WHERE event_seq = :event_seq AND destination = :destination AND status = 'pending' AND awaits_full;

-- name: state_of
SELECT status, due_ms, receipt FROM deliveries WHERE event_seq = :event_seq AND destination = :destination;

-- name: waiting
SELECT destination, sum(count) FROM (
  SELECT destination, count(*) AS count FROM deliveries INDEXED BY deliveries_due
  WHERE status = 'pending' AND order_key IS NULL GROUP BY destination
  UNION ALL
  SELECT destination, count(*) FROM deliveries INDEXED BY deliveries_in_order
  WHERE status = 'pending' AND order_key IS NOT NULL GROUP BY destination
) GROUP BY destination;

-- name: keys_of_waiting
SELECT event_seq, destination FROM deliveries INDEXED BY deliveries_due WHERE status = 'pending' AND order_key IS NULL
UNION ALL
SELECT event_seq, destination FROM deliveries INDEXED BY deliveries_in_order WHERE status = 'pending' AND order_key IS NOT NULL
LIMIT ?;

-- name: oldest_events
SELECT seq, accepted_ms < :before_ms FROM events WHERE seq > :after_seq ORDER BY seq LIMIT :limit;

-- name: prunable_events
-- Of this range, those whose deliveries are all closed; what died is kept longer.
SELECT seq FROM events
WHERE seq BETWEEN :first_seq AND :last_seq
  AND NOT EXISTS (
    SELECT 1 FROM deliveries AS d
    WHERE d.event_seq = events.seq
      AND (d.status IN ('pending', 'in_flight') OR (d.status IN ('dead', 'expired') AND d.closed_ms >= :dead_before_ms))
  );

-- name: through_with
-- Of these events, those of which nothing waits and nothing is dead.
SELECT seq FROM events WHERE seq IN (SELECT value FROM json_each(:seqs)) AND accepted_ms < :before_ms AND NOT EXISTS (
  SELECT 1 FROM deliveries WHERE event_seq = seq AND status NOT IN ('delivered', 'skipped')
);

-- name: ends_of
SELECT event_seq, destination, status, reason FROM deliveries WHERE event_seq IN (SELECT value FROM json_each(:seqs));

-- name: accepted_of
SELECT seq, accepted_ms FROM events WHERE seq IN (SELECT value FROM json_each(:seqs));

-- name: note_pruned
INSERT INTO books (minute, entry, count)
SELECT accepted_ms / 60000, entry, count(*) FROM (
  SELECT accepted_ms, 'pruned event' AS entry FROM events WHERE seq IN (SELECT value FROM json_each(:seqs))
  UNION ALL
  SELECT accepted_ms, 'pruned ' || iif(status = 'skipped', coalesce(reason, 'unknown'), status)
  FROM deliveries JOIN events ON seq = event_seq
  WHERE event_seq IN (SELECT value FROM json_each(:seqs))
) WHERE true GROUP BY 1, 2
ON CONFLICT (minute, entry) DO UPDATE SET count = count + excluded.count;

-- name: prune_attempts
DELETE FROM attempts WHERE event_seq IN (SELECT value FROM json_each(:seqs));

-- name: prune_deliveries
DELETE FROM deliveries WHERE event_seq IN (SELECT value FROM json_each(:seqs));

-- name: prune_recovered
DELETE FROM recovered_events WHERE event_seq IN (SELECT value FROM json_each(:seqs));

-- name: prune_events
DELETE FROM events WHERE seq IN (SELECT value FROM json_each(:seqs));

-- name: prune_ledger
-- A minute of which nothing is left is in balance by itself, and both sides go together.
DELETE FROM books WHERE minute < :before_minute
  AND NOT EXISTS (SELECT 1 FROM events WHERE accepted_ms < :before_minute * 60000);

-- name: last_revision
SELECT first_seq, digest FROM config_revisions ORDER BY first_seq DESC LIMIT 1;

-- name: forget_revisions_from
DELETE FROM config_revisions WHERE first_seq >= ?;

-- name: note_revision
INSERT INTO config_revisions (first_seq, loaded_ms, digest, routing) VALUES (?, ?, ?, ?);

-- name: revision_at
SELECT first_seq, loaded_ms, digest, routing FROM config_revisions WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1;

-- name: prune_revisions
-- Those that no kept event belongs to; the last one is active.
DELETE FROM config_revisions AS r
WHERE first_seq < (SELECT max(first_seq) FROM config_revisions)
  AND NOT EXISTS (
    SELECT 1 FROM events
    WHERE seq >= r.first_seq
      AND seq < (SELECT min(n.first_seq) FROM config_revisions AS n WHERE n.first_seq > r.first_seq));

-- name: last_gap_id
-- Also of those that are pruned, while an event is left that they brought.
SELECT max(coalesce((SELECT max(id) FROM gaps), 0), coalesce((SELECT max(gap_id) FROM recovered_events), 0));

-- name: note_gap
INSERT OR REPLACE INTO gaps (
  id, stream, began_ms, noticed_ms, ended_ms, reason, is_covered, repair, found, recovered, note
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: gaps_to_repair
SELECT id, stream, began_ms, noticed_ms, ended_ms, reason, is_covered, repair, found, recovered, note
FROM gaps WHERE repair = 'pending' AND ended_ms IS NOT NULL ORDER BY began_ms, id;

-- name: unended_gaps
SELECT id, stream, began_ms, noticed_ms, ended_ms, reason, is_covered, repair, found, recovered, note
FROM gaps WHERE ended_ms IS NULL ORDER BY began_ms, id;

-- name: posts_after
-- A slice of the index, in its order.
SELECT accepted_ms, source, mid, sid, id FROM events INDEXED BY events_by_age
WHERE (accepted_ms, source, mid, sid, id) > (:accepted_ms, :source, :mid, :sid, :id)
ORDER BY accepted_ms, source, mid, sid, id LIMIT :limit;

-- name: note_recovered
INSERT OR REPLACE INTO recovered_events (event_seq, gap_id) VALUES (?, ?);

-- name: recovered_events
SELECT e.mid, e.sid, e.accepted_ms FROM recovered_events AS r CROSS JOIN events AS e ON e.seq = r.event_seq
WHERE e.accepted_ms >= :since_ms ORDER BY r.event_seq DESC LIMIT :limit;

-- name: note_heard
INSERT INTO state (name, value) VALUES ('last_heard', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: last_heard
SELECT value FROM state WHERE name = 'last_heard';

-- name: clock_steps
-- What the wall clock was set by: the older ones together under one name, the others each with its steady time and the number of
-- the first event after it.
SELECT name, value FROM state WHERE name >= 'clock ' AND name < 'clock!';

-- name: forget_clock_steps
DELETE FROM state WHERE name >= 'clock ' AND name < 'clock!';

-- name: note_clock_step
INSERT INTO state (name, value) VALUES (?, ?);

-- name: clock_offset
-- Milliseconds that the wall clock is ahead of the steady one, by which what waits is due.
SELECT coalesce(sum(value), 0) FROM state WHERE name >= 'clock ' AND name < 'clock!';

-- name: last_accepted
SELECT seq, accepted_ms FROM events ORDER BY seq DESC LIMIT 1;

-- name: failure_stretches
SELECT name, value FROM state WHERE name >= 'failures ' AND name < 'failures!';

-- name: note_state_value
INSERT INTO state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: forget_failure_stretch
DELETE FROM state WHERE name IN (?, ?, ?);

-- name: pause_ends
SELECT name, value FROM state WHERE name >= 'paused until ' AND name < 'paused until!';

-- name: dead_reports
SELECT name, value FROM state WHERE name >= 'dead reported ' AND name < 'dead reported!';

-- name: forget_state_value
DELETE FROM state WHERE name = ?;

-- name: prune_gaps
-- Not those that last, nor those that something is still to be done for.
DELETE FROM gaps WHERE ended_ms < :before_ms AND repair != 'pending';

-- name: waited_until
-- The last event that was accepted before then, and the first one that is kept.
SELECT coalesce((SELECT max(seq) FROM events INDEXED BY events_by_age WHERE accepted_ms = (
    SELECT max(accepted_ms) FROM events INDEXED BY events_by_age WHERE accepted_ms < :before_ms)), 0),
  coalesce((SELECT min(seq) FROM events), 1);

-- name: waited_too_long
-- What a person asked for, canaries, and what quiet hours keep, are left alone.
SELECT d.event_seq, e.accepted_ms, d.routes FROM deliveries AS d JOIN events AS e ON e.seq = d.event_seq
WHERE d.event_seq > :after_seq AND d.event_seq <= :until_seq AND d.destination = :of AND d.status IN ('pending', 'in_flight')
  AND d.trigger IN ('first', 'recovered', 'fallback') AND d.awaits_full < 2
  AND NOT EXISTS (SELECT 1 FROM deliveries AS o WHERE o.event_seq = d.event_seq AND o.destination = :to)
ORDER BY d.event_seq LIMIT :limit;

-- name: count_waiting
-- What quiet hours keep is no backlog.
SELECT count(*) FROM (
  SELECT 1 FROM deliveries WHERE destination = :of AND status = 'pending' AND order_key IS NULL AND awaits_full < 2
  UNION ALL
  SELECT 1 FROM deliveries WHERE destination = :of AND status = 'pending' AND order_key IS NOT NULL AND awaits_full < 2
  LIMIT :limit);

-- name: has_waiting_until
SELECT EXISTS (
  SELECT 1 FROM deliveries WHERE destination = :of AND status = 'pending' AND order_key IS NULL AND event_seq <= :until_seq AND awaits_full < 2)
  OR EXISTS (
  SELECT 1 FROM deliveries WHERE destination = :of AND status = 'pending' AND order_key IS NOT NULL AND event_seq <= :until_seq AND awaits_full < 2);
