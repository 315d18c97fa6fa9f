"""From a frame to deliveries: decode, duplicates, routes, outbox, lanes."""
