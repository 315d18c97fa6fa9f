"""Builds, starts, reloads and stops everything."""
