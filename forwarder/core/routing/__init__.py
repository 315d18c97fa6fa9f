"""Which destinations get an event, and which do not: routes, first words, limits, samples, duplicates."""
