-- Version 2 knew no order, no expiry, and nothing of a destination itself. Events, attempts and books stay as they are.

DROP INDEX deliveries_due;
DROP INDEX deliveries_in_flight;
DROP INDEX deliveries_dead;
ALTER TABLE deliveries RENAME TO deliveries_2;
-- schema of deliveries --
INSERT INTO deliveries SELECT *, 0, NULL, NULL, 0, NULL, 0 FROM deliveries_2;
DROP TABLE deliveries_2;
-- schema of revisions --
-- schema of gaps --
