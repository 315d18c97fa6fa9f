-- name: events
SELECT e.seq, e.id, e.accepted_ms, e.timestamp_ms, e.source, e.mid, e.sid, e.planned, e.body,
  (SELECT gap_id FROM recovered_events AS r WHERE r.event_seq = e.seq)
FROM events AS e
WHERE e.accepted_ms >= :since_ms AND e.accepted_ms < :until_ms
  AND (:source IS NULL OR e.source = :source)
  AND (:mid IS NULL OR e.mid = :mid)
  AND (:author IS NULL AND :text IS NULL AND :link IS NULL OR is_sought(e.body, :author, :text, :link))
  AND (:destination IS NULL OR EXISTS (
    SELECT 1 FROM deliveries AS d WHERE d.event_seq = e.seq AND d.destination = :destination))
  AND (:route IS NULL OR EXISTS (
    SELECT 1 FROM deliveries AS d, json_each(d.routes) AS r WHERE d.event_seq = e.seq AND r.value = :route))
  AND (:status IS NULL OR EXISTS (
    SELECT 1 FROM deliveries AS d WHERE d.event_seq = e.seq
      AND (d.status = :status OR :status = 'waiting' AND d.status IN ('pending', 'in_flight'))
      AND (:destination IS NULL OR d.destination = :destination)))
  AND (NOT :unmatched OR e.planned = 0)
  AND (:after_ms IS NULL OR (e.accepted_ms, e.seq) < (:after_ms, :after_seq))
ORDER BY e.accepted_ms DESC, e.seq DESC LIMIT :limit;

-- name: event
SELECT seq, id, accepted_ms, timestamp_ms, source, mid, sid, planned, body,
  (SELECT gap_id FROM recovered_events AS r WHERE r.event_seq = events.seq)
FROM events
WHERE seq IN (SELECT seq FROM events INDEXED BY events_by_age WHERE id >= :low AND id < :high)
ORDER BY seq LIMIT :limit;

-- name: event_at
SELECT seq, id, accepted_ms, timestamp_ms, source, mid, sid, planned, body,
  (SELECT gap_id FROM recovered_events AS r WHERE r.event_seq = events.seq)
FROM events WHERE seq = :seq;

-- name: events_of_mid
SELECT seq, id, accepted_ms, timestamp_ms, source, mid, sid, planned, body,
  (SELECT gap_id FROM recovered_events AS r WHERE r.event_seq = events.seq)
FROM events
WHERE seq IN (
    SELECT seq FROM events INDEXED BY events_by_age WHERE mid = :mid AND (:source IS NULL OR source = :source))
ORDER BY seq DESC LIMIT :limit;

-- name: first_seq_since
SELECT min(seq) FROM events WHERE accepted_ms >= :since_ms;

-- name: first_seq_of_last
SELECT min(seq) FROM (SELECT seq FROM events WHERE seq >= :first_seq ORDER BY seq DESC LIMIT :limit);

-- name: count_from
SELECT count(*), min(accepted_ms) FROM events NOT INDEXED WHERE seq >= :first_seq;

-- name: oldest_event
SELECT accepted_ms FROM events ORDER BY seq LIMIT 1;

-- name: pruned_events
SELECT coalesce(sum(count), 0) FROM books WHERE entry = 'pruned event' AND minute >= :since_minute;

-- name: events_in_order
SELECT seq, accepted_ms, source, body FROM events NOT INDEXED WHERE seq >= :first_seq ORDER BY seq LIMIT :limit;

-- name: deliveries_between
-- One that a replay added, or that it sent after all, has the replay's trigger and no attempts before it.
SELECT event_seq, destination, routes, trigger IN ('replay', 'resend') AND earlier_attempts = 0, iif(status = 'skipped', reason, status)
FROM deliveries
WHERE event_seq BETWEEN :first_seq AND :last_seq;

-- name: dead_of
SELECT e.id, d.event_seq, d.destination FROM events AS e CROSS JOIN deliveries AS d ON d.event_seq = e.seq
WHERE e.seq IN (
    SELECT seq FROM events INDEXED BY events_by_age WHERE id IN (SELECT value FROM json_each(:ids)))
  AND d.status IN ('dead', 'expired');

-- name: deliveries
SELECT e.id, e.accepted_ms, e.source, e.mid, e.sid,
  EXISTS (SELECT 1 FROM recovered_events AS r WHERE r.event_seq = e.seq), e.body, d.*
FROM events AS e CROSS JOIN deliveries AS d ON d.event_seq = e.seq
WHERE e.accepted_ms >= :since_ms AND e.accepted_ms < :until_ms
  AND (:source IS NULL OR e.source = :source)
  AND (:mid IS NULL OR e.mid = :mid)
  AND (:author IS NULL AND :text IS NULL AND :link IS NULL OR is_sought(e.body, :author, :text, :link))
  AND (:destination IS NULL OR d.destination = :destination)
  AND (:status IS NULL OR d.status = :status OR :status = 'waiting' AND d.status IN ('pending', 'in_flight'))
  AND (NOT :failed OR d.started_ms IS NOT NULL AND d.status NOT IN ('delivered', 'skipped') AND d.reason IS NOT NULL OR EXISTS (
    SELECT 1 FROM attempts AS a
    WHERE a.event_seq = d.event_seq AND a.destination = d.destination AND a.reason IS NOT NULL))
  AND (:route IS NULL OR EXISTS (SELECT 1 FROM json_each(d.routes) AS r WHERE r.value = :route))
  AND (:after_ms IS NULL OR (e.accepted_ms, e.seq) < (:after_ms, :after_seq)
    OR (e.accepted_ms, e.seq) = (:after_ms, :after_seq) AND d.destination > :after_destination)
ORDER BY e.accepted_ms DESC, e.seq DESC, d.destination LIMIT :limit;

-- name: dead
SELECT e.id, e.accepted_ms, e.source, e.mid, e.sid,
  EXISTS (SELECT 1 FROM recovered_events AS r WHERE r.event_seq = e.seq), e.body, d.*
FROM deliveries AS d INDEXED BY deliveries_dead CROSS JOIN events AS e ON e.seq = d.event_seq
WHERE d.status IN ('dead', 'expired') AND d.closed_ms >= :since_ms AND d.closed_ms < :until_ms
  AND (:source IS NULL OR e.source = :source)
  AND (:mid IS NULL OR e.mid = :mid)
  AND (:author IS NULL AND :text IS NULL AND :link IS NULL OR is_sought(e.body, :author, :text, :link))
  AND (:destination IS NULL OR d.destination = :destination)
  AND (:status IS NULL OR d.status = :status)
  AND (:reason IS NULL OR coalesce(d.reason, '') = :reason)
  AND (:route IS NULL OR EXISTS (SELECT 1 FROM json_each(d.routes) AS r WHERE r.value = :route))
  AND (:after_ms IS NULL OR (d.closed_ms, d.event_seq) < (:after_ms, :after_seq)
    OR (d.closed_ms, d.event_seq) = (:after_ms, :after_seq) AND d.destination > :after_destination)
ORDER BY d.closed_ms DESC, d.event_seq DESC, d.destination LIMIT :limit;

-- name: deliveries_of
SELECT e.id, e.accepted_ms, e.source, e.mid, e.sid,
  EXISTS (SELECT 1 FROM recovered_events AS r WHERE r.event_seq = e.seq), e.body, d.*
FROM events AS e JOIN deliveries AS d ON d.event_seq = e.seq WHERE e.seq = ? ORDER BY d.destination;

-- name: first_in_order
SELECT min(event_seq) FROM (
  SELECT min(event_seq) AS event_seq FROM deliveries INDEXED BY deliveries_in_order
  WHERE destination = :destination AND order_key = :key AND status = 'pending'
  UNION ALL
  SELECT min(event_seq) FROM deliveries INDEXED BY deliveries_in_flight
  WHERE destination = :destination AND order_key = :key AND status = 'in_flight');

-- name: attempts_of
SELECT number, started_ms, duration_ms, http_status, reason, excerpt FROM attempts
WHERE event_seq = ? AND destination = ? ORDER BY number;

-- name: replayable_count
SELECT count(*) FROM events AS e LEFT JOIN deliveries AS d ON d.event_seq = e.seq AND d.destination = :to
WHERE e.accepted_ms >= :since_ms AND e.accepted_ms < :until_ms
  AND (:source IS NULL OR e.source = :source)
  AND (e.source != 'forwarder' OR d.trigger != 'canary')
  AND (:route IS NULL OR EXISTS (
    SELECT 1 FROM deliveries AS o, json_each(o.routes) AS r WHERE o.event_seq = e.seq AND r.value = :route))
  AND coalesce(d.status, '') NOT IN ('pending', 'in_flight')
  AND coalesce(iif(d.status = 'skipped', d.reason, d.status), '') NOT IN (SELECT value FROM json_each(:left_alone));

-- name: dead_count
SELECT count(*) FROM deliveries INDEXED BY deliveries_dead
WHERE status IN ('dead', 'expired') AND closed_ms >= :since_ms AND closed_ms < :until_ms
  AND (:destination IS NULL OR destination = :destination)
  AND (:status IS NULL OR status = :status)
  AND (:reason IS NULL OR coalesce(reason, '') = :reason)
  AND (:route IS NULL OR EXISTS (SELECT 1 FROM json_each(deliveries.routes) AS r WHERE r.value = :route));

-- name: dead_groups
SELECT d.destination, d.status, coalesce(d.reason, ''), count(*), min(d.closed_ms), max(d.closed_ms)
FROM deliveries AS d INDEXED BY deliveries_dead CROSS JOIN events AS e ON e.seq = d.event_seq
WHERE d.status IN ('dead', 'expired') AND d.closed_ms >= :since_ms AND d.closed_ms < :until_ms
  AND (:source IS NULL OR e.source = :source)
  AND (:mid IS NULL OR e.mid = :mid)
  AND (:author IS NULL AND :text IS NULL AND :link IS NULL OR is_sought(e.body, :author, :text, :link))
  AND (:destination IS NULL OR d.destination = :destination)
  AND (:status IS NULL OR d.status = :status)
  AND (:reason IS NULL OR coalesce(d.reason, '') = :reason)
  AND (:route IS NULL OR EXISTS (SELECT 1 FROM json_each(d.routes) AS r WHERE r.value = :route))
GROUP BY 1, 2, 3 ORDER BY 6 DESC, 1, 3 LIMIT :limit;

-- name: queues
-- Counted in the indexes alone; then one event is looked up for each destination. The numbers of events grow.
SELECT q.destination, q.count, e.accepted_ms FROM (
  SELECT destination, sum(count) AS count, min(oldest_seq) AS oldest_seq FROM (
    SELECT destination, count(*) AS count, min(event_seq) AS oldest_seq FROM deliveries INDEXED BY deliveries_due
    WHERE status = 'pending' AND order_key IS NULL GROUP BY destination
    UNION ALL
    SELECT destination, count(*), min(event_seq) FROM deliveries INDEXED BY deliveries_in_order
    WHERE status = 'pending' AND order_key IS NOT NULL GROUP BY destination
    UNION ALL
    SELECT destination, count(*), min(event_seq) FROM deliveries INDEXED BY deliveries_in_flight
    WHERE status = 'in_flight' GROUP BY destination
  ) GROUP BY destination
) AS q LEFT JOIN events AS e ON e.seq = q.oldest_seq;

-- name: file_bytes
SELECT page_count * page_size FROM pragma_page_count, pragma_page_size;

-- name: dead_by_destination
SELECT destination, count(*) FROM deliveries INDEXED BY deliveries_dead
WHERE status IN ('dead', 'expired') GROUP BY destination;

-- name: replaying
-- Those in flight are counted too: they are neither delivered nor dead.
SELECT (SELECT count(*) FROM deliveries WHERE destination = :to AND status = 'pending' AND order_key IS NULL
    AND trigger IN ('replay', 'manual', 'resend'))
  + (SELECT count(*) FROM deliveries INDEXED BY deliveries_in_flight WHERE destination = :to AND status = 'in_flight'
    AND trigger IN ('replay', 'manual', 'resend'));

-- name: paused
SELECT name, paused_ms FROM destinations WHERE paused_ms IS NOT NULL ORDER BY name;

-- name: ledger
SELECT entry, sum(count) FROM books WHERE minute >= :since_minute GROUP BY entry;

-- name: kept_events
SELECT count(*) FROM events WHERE accepted_ms >= :since_ms;

-- name: kept_deliveries
SELECT iif(d.status = 'skipped', coalesce(d.reason, 'unknown'), d.status), count(*)
FROM deliveries AS d
WHERE :since_ms = 0 OR EXISTS (SELECT 1 FROM events AS e WHERE e.seq = d.event_seq AND e.accepted_ms >= :since_ms)
GROUP BY 1;

-- name: incomplete_events
SELECT id, planned, (SELECT count(*) FROM deliveries AS d WHERE d.event_seq = events.seq) AS found FROM events
WHERE accepted_ms >= :since_ms AND planned != (SELECT count(*) FROM deliveries AS d WHERE d.event_seq = events.seq)
ORDER BY seq;

-- name: gaps
-- A gap belongs to every moment from its beginning to its end.
SELECT id, stream, began_ms, noticed_ms, ended_ms, reason, is_covered, repair, found, recovered, note FROM gaps
WHERE (ended_ms IS NULL OR ended_ms >= :since_ms) AND began_ms < :until_ms
  AND (:stream IS NULL OR stream = :stream)
  AND (NOT :only_open OR ended_ms IS NULL)
ORDER BY began_ms DESC, id DESC LIMIT :limit;

-- name: streams_of_gaps
SELECT DISTINCT stream FROM gaps ORDER BY stream;
