"""Reads single values of the config: durations, sizes, names, URLs, secrets."""
