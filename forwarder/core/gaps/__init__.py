"""When a stream was not open, and what of that time can be fetched again."""
