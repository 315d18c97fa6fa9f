"""Sends the requests of a delivery to its destination."""
