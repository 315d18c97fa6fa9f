"""Warnings about values that are valid but hardly mean what their author meant: each with its place, and with what to write."""
