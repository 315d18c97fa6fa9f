"""The log: how lines look, and who writes them."""
