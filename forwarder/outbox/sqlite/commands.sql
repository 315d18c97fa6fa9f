-- name: replayable
-- The next events of the history, with the delivery to one destination where there is one.
SELECT e.seq, e.accepted_ms, iif(d.status = 'skipped', d.reason, d.status),
  coalesce((SELECT json_group_array(DISTINCT r.value) FROM deliveries AS o, json_each(o.routes) AS r WHERE o.event_seq = e.seq), '[]')
FROM events AS e NOT INDEXED LEFT JOIN deliveries AS d ON d.event_seq = e.seq AND d.destination = :to
WHERE e.seq > :after_seq AND e.accepted_ms >= :since_ms AND e.accepted_ms < :until_ms
  AND (:source IS NULL OR e.source = :source)
  AND (e.source != 'forwarder' OR d.trigger != 'canary')
  AND (:route IS NULL OR EXISTS (
    SELECT 1 FROM deliveries AS o, json_each(o.routes) AS r WHERE o.event_seq = e.seq AND r.value = :route))
ORDER BY e.seq LIMIT :limit;

-- name: first_seq_since
-- Sequence numbers grow with the time of acceptance, but for a clock that was set back: then a little more is read.
SELECT coalesce(min(seq), 0) - 1 FROM events INDEXED BY events_by_age WHERE accepted_ms >= :since_ms;

-- name: add_delivery
INSERT INTO deliveries (
  event_seq, destination, routes, status, trigger, attempts, earlier_attempts, expedited, due_ms, refusals
) VALUES (:event_seq, :destination, :routes, 'pending', :trigger, 0, 0, :expedited, :due_ms, 0);

-- name: plan_one_more
UPDATE events SET planned = planned + 1 WHERE seq = ?;

-- name: again
-- The last attempt stays where it is, and moves to the history with the next one. It waits for its own time: an outage of
-- the destination that ends does not bring it forward, and it has no place in an order.
UPDATE deliveries SET status = 'pending', trigger = :trigger, earlier_attempts = earlier_attempts + attempts, attempts = 0,
  refusals = 0, order_key = NULL, awaits_full = 0, expedited = :expedited, due_ms = :due_ms, closed_ms = NULL, reason = iif(started_ms IS NULL, NULL, reason)
WHERE event_seq = :event_seq AND destination = :destination;

-- name: resendable
-- Of forwarder's own events none that was not for this destination, and no canary, as in a replay.
SELECT e.accepted_ms, d.status,
  coalesce((SELECT json_group_array(DISTINCT r.value) FROM deliveries AS o, json_each(o.routes) AS r WHERE o.event_seq = e.seq), '[]')
FROM events AS e LEFT JOIN deliveries AS d ON d.event_seq = e.seq AND d.destination = :destination
WHERE e.seq = :event_seq AND (e.source != 'forwarder' OR d.trigger != 'canary');

-- name: bring_forward
-- What waits in an order, or for the full text of its post, keeps its place; what quiet hours keep does not. One that was never tried keeps its trigger.
UPDATE deliveries SET due_ms = :due_ms, expedited = :expedited, trigger = iif(attempts + earlier_attempts > 0, :trigger, trigger),
  earlier_attempts = earlier_attempts + attempts, attempts = 0, refusals = 0,
  order_key = iif(awaits_full >= 2, NULL, order_key), awaits_full = 0
WHERE event_seq = :event_seq AND destination = :destination AND status = 'pending' AND due_ms > :due_ms
  AND ((order_key IS NULL AND NOT awaits_full) OR awaits_full >= 2);

-- name: dead
SELECT d.event_seq, d.destination FROM deliveries AS d INDEXED BY deliveries_dead
WHERE d.status IN ('dead', 'expired') AND d.closed_ms >= :since_ms AND d.closed_ms < :until_ms
  AND (:destination IS NULL OR d.destination = :destination)
  AND (:route IS NULL OR EXISTS (SELECT 1 FROM json_each(d.routes) AS r WHERE r.value = :route))
  AND (:reason IS NULL OR coalesce(d.reason, '') = :reason)
ORDER BY d.closed_ms, d.event_seq LIMIT :limit;

-- name: dead_one
SELECT event_seq, destination FROM deliveries
WHERE event_seq = :event_seq AND destination = :key_destination AND status IN ('dead', 'expired')
  AND closed_ms >= :since_ms AND closed_ms < :until_ms AND (:destination IS NULL OR destination = :destination)
  AND (:route IS NULL OR EXISTS (SELECT 1 FROM json_each(deliveries.routes) AS r WHERE r.value = :route))
  AND (:reason IS NULL OR coalesce(reason, '') = :reason);

-- name: keep_last_attempt
-- In the history, because its reason gives way to the cause of the drop.
INSERT OR REPLACE INTO attempts (event_seq, destination, number, started_ms, duration_ms, http_status, reason, excerpt)
SELECT event_seq, destination, attempts + earlier_attempts, started_ms, duration_ms, http_status, reason, excerpt
FROM deliveries WHERE event_seq = ? AND destination = ? AND started_ms IS NOT NULL;

-- name: drop
UPDATE deliveries
SET status = 'skipped', reason = 'dropped', started_ms = NULL, duration_ms = NULL, http_status = NULL, excerpt = NULL
WHERE event_seq = ? AND destination = ?;

-- name: is_paused
SELECT 1 FROM destinations WHERE name = ? AND paused_ms IS NOT NULL;

-- name: pause
INSERT INTO destinations (name, paused_ms, paused_by, paused_why) VALUES (:name, :now_ms, 'person', :why)
ON CONFLICT (name) DO UPDATE SET paused_ms = excluded.paused_ms, paused_by = 'person', paused_why = excluded.paused_why;

-- name: resume
-- Since when it fails stays: only a success ends that.
UPDATE destinations SET paused_ms = NULL, paused_by = NULL, paused_why = NULL, told_ms = NULL WHERE name = :name;

-- name: skip_open
UPDATE deliveries SET status = 'skipped', reason = 'dropped', closed_ms = :now_ms
WHERE event_seq IN (SELECT value FROM json_each(:seqs)) AND status IN ('pending', 'in_flight');

-- name: replace_body
UPDATE events SET id = :id, body = :body WHERE seq = :seq;

-- name: forget_answers
UPDATE attempts SET excerpt = NULL WHERE event_seq = :seq;

-- name: forget_last_answers
UPDATE deliveries SET excerpt = NULL WHERE event_seq = :seq;

-- name: closed_of
SELECT seq FROM events WHERE seq IN (SELECT value FROM json_each(:seqs)) AND NOT EXISTS (
  SELECT 1 FROM deliveries WHERE event_seq = seq AND status IN ('pending', 'in_flight'));

-- name: count_of
SELECT count(*) FROM events WHERE seq IN (SELECT value FROM json_each(:seqs));
