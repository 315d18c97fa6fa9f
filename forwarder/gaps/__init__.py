"""Records when streams were not open, and repairs that."""
