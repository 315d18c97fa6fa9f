-- Version 6 had no priorities. Everything that waits is normal.

ALTER TABLE deliveries ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_high ON deliveries (destination, due_ms, event_seq, order_key)
  WHERE status = 'pending' AND priority > 0;
