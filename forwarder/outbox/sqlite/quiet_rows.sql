-- name: kept_for_digest
SELECT d.event_seq, iif(e.source = 'fast-x', 'x', e.source), e.sid, e.mid, e.accepted_ms, e.body
FROM deliveries AS d INDEXED BY deliveries_in_order JOIN events AS e ON e.seq = d.event_seq
WHERE d.destination = :destination AND d.status = 'pending' AND d.order_key = :key AND d.due_ms <= :now_ms
ORDER BY d.event_seq LIMIT :limit;

-- name: routes_of_kept
-- The routes of what waits for the end of quiet hours, or for a digest: each list of names once.
SELECT DISTINCT routes FROM (
  SELECT routes FROM deliveries INDEXED BY deliveries_due
  WHERE destination = :destination AND status = 'pending' AND order_key IS NULL AND due_ms > :now_ms AND awaits_full >= 2
  UNION ALL
  SELECT routes FROM deliveries INDEXED BY deliveries_in_order
  WHERE destination = :destination AND status = 'pending' AND order_key = :key AND awaits_full >= 2
);

-- name: keep_again
UPDATE deliveries SET due_ms = :due_ms, awaits_full = :level, order_key = :new_key
WHERE destination = :destination AND status = 'pending' AND routes = :routes AND awaits_full >= 2
  AND (due_ms > :now_ms OR order_key = :key)
  AND (due_ms, awaits_full) IS NOT (:due_ms, :level)
  AND event_seq IN (
    SELECT event_seq FROM deliveries INDEXED BY deliveries_due
    WHERE destination = :destination AND status = 'pending' AND order_key IS NULL AND due_ms > :now_ms
    UNION ALL
    SELECT event_seq FROM deliveries INDEXED BY deliveries_in_order
    WHERE destination = :destination AND status = 'pending' AND order_key = :key
  );
