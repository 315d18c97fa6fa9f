"""What is counted and reported: notices, counters, the line logged for an attempt."""
