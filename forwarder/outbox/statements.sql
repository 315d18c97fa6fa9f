-- name: insert_event
INSERT OR IGNORE INTO events (id, source, mid, sid, timestamp_ms, accepted_ms, body)
VALUES (:id, :source, :mid, :sid, :timestamp_ms, :accepted_ms, :body);

-- name: insert_delivery
-- Ignored where the same event was delivered to the same place before: its id is derived.
INSERT OR IGNORE INTO deliveries (id, event_seq, destination, routes, status, due_ms)
SELECT :id, seq, :destination, :routes, :status, :due_ms FROM events WHERE id = :event_id;

-- name: insert_attempt
INSERT OR REPLACE INTO attempts (delivery_seq, number, started_ms, duration_ms, status, reason, excerpt)
SELECT seq, :number, :started_ms, :duration_ms, :status, :reason, :excerpt FROM deliveries WHERE id = :id;

-- name: close_delivery
UPDATE deliveries
SET status = :status, attempts = :number, closed_ms = :closed_ms, reason = :reason
WHERE id = :id AND status = 'in_flight';

-- name: reschedule
UPDATE deliveries
SET status = 'pending', attempts = :number, due_ms = :due_ms, reason = :reason
WHERE id = :id AND status = 'in_flight';

-- name: release
UPDATE deliveries SET status = 'pending', due_ms = :due_ms WHERE id = :id AND status = 'in_flight';

-- name: release_all
UPDATE deliveries SET status = 'pending' WHERE status = 'in_flight';

-- name: claim
UPDATE deliveries SET status = 'in_flight'
WHERE seq IN (
  SELECT seq FROM deliveries
  WHERE destination = :destination AND status = 'pending' AND due_ms <= :now_ms
  ORDER BY due_ms, seq LIMIT :limit
)
RETURNING seq;

-- name: claimed
SELECT d.id, e.id, d.destination, d.routes, e.accepted_ms, d.attempts, e.body
FROM deliveries AS d JOIN events AS e ON e.seq = d.event_seq
WHERE d.seq = :seq;

-- name: next_due
SELECT min(due_ms) FROM deliveries WHERE destination = :destination AND status = 'pending';

-- name: expedite
-- Due since it was accepted, so that the oldest goes first. Only so often: what fails by its own fault, amid the
-- successes of others, must not run through its attempts in minutes.
UPDATE deliveries
SET due_ms = (SELECT accepted_ms FROM events WHERE events.seq = event_seq), expedited = expedited + 1
WHERE seq IN (
  SELECT seq FROM deliveries
  WHERE destination = :destination AND status = 'pending' AND due_ms > :now_ms AND expedited < :most
  ORDER BY due_ms, seq LIMIT :limit
);

-- name: recent_events
SELECT id, accepted_ms FROM events WHERE accepted_ms >= :since_ms ORDER BY accepted_ms DESC LIMIT :limit;

-- name: waiting
SELECT destination, count(*) FROM deliveries WHERE status = 'pending' GROUP BY destination;

-- name: oldest_events
SELECT seq FROM events WHERE seq > :after_seq AND accepted_ms < :before_ms ORDER BY seq LIMIT :limit;

-- name: prune_events
-- Of this range, those whose deliveries are all closed; what died is kept longer.
DELETE FROM events
WHERE seq BETWEEN :first_seq AND :last_seq
  AND NOT EXISTS (
    SELECT 1 FROM deliveries AS d
    WHERE d.event_seq = events.seq
      AND (d.status IN ('pending', 'in_flight') OR (d.status = 'dead' AND d.closed_ms >= :dead_before_ms))
  );
