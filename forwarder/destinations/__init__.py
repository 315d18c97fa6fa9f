"""Sending one delivery to where it belongs."""
