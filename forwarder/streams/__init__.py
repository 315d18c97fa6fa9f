"""Connections that events come in on."""
