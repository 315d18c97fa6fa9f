"""Tests of the rules: those under `tests` in the config, and those in `*_test.yaml` files."""
