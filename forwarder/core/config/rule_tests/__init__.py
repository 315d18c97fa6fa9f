"""Tests of the rules, as they stand under `tests:` in the config and in `*_test.yaml` beside it."""
