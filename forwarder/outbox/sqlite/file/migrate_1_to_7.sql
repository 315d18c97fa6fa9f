-- Version 1 kept a row for every attempt and an id for every delivery; its in-flight deliveries begin again.

ALTER TABLE events RENAME TO events_1;
ALTER TABLE deliveries RENAME TO deliveries_1;
ALTER TABLE attempts RENAME TO attempts_1;
DROP INDEX events_by_age;
DROP INDEX deliveries_due;
DROP INDEX deliveries_in_flight;
-- schema --
INSERT INTO events
SELECT seq, id, source, mid, sid, timestamp_ms, accepted_ms,
  (SELECT count(*) FROM deliveries_1 AS d WHERE d.event_seq = e.seq), body
FROM events_1 AS e;

INSERT INTO deliveries
SELECT d.event_seq, d.destination, d.routes, d.status, 'first', d.attempts, 0, d.expedited, d.due_ms, d.closed_ms,
  a.started_ms, a.duration_ms, a.status, coalesce(d.reason, a.reason), a.excerpt,
  0, NULL, NULL, 0, NULL, 0
FROM deliveries_1 AS d
LEFT JOIN attempts_1 AS a ON a.delivery_seq = d.seq AND a.number = d.attempts;

INSERT INTO attempts
SELECT d.event_seq, d.destination, a.number, a.started_ms, a.duration_ms, a.status, a.reason, a.excerpt
FROM attempts_1 AS a JOIN deliveries_1 AS d ON d.seq = a.delivery_seq
WHERE a.number < d.attempts;

INSERT INTO books
SELECT accepted_ms / 60000, entry, sum(count) FROM (
  SELECT accepted_ms, 'seen' AS entry, 1 AS count FROM events
  UNION ALL SELECT accepted_ms, iif(planned, 'matched', 'unmatched'), 1 FROM events
  UNION ALL SELECT accepted_ms, 'planned', planned FROM events WHERE planned
) GROUP BY 1, 2;

DROP TABLE attempts_1;
DROP TABLE deliveries_1;
DROP TABLE events_1;
