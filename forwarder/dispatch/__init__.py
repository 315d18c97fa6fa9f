"""Dispatch delivers: a lane for each destination, and what the lanes share."""
