"""Reads YAML: values with their places, variables, and problems with their places."""
