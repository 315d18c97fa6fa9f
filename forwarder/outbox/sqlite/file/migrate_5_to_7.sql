-- Version 5 kept two facts in texts: that a delivery waits for the full text in its reason, and which message it changes in its receipt.

ALTER TABLE deliveries ADD COLUMN awaits_full INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN edits INTEGER;
UPDATE deliveries SET awaits_full = 1, reason = NULL WHERE status = 'pending' AND reason = 'waits for the full text';
UPDATE deliveries SET edits = CAST(substr(receipt, 2) AS INTEGER), receipt = NULL
WHERE receipt GLOB '@[0-9]*' AND receipt NOT GLOB '@*[^0-9]*';
-- from version 6 on --
