"""Checks that concern several places of the config."""
