"""One process replaces another without a moment in which no stream is open."""
