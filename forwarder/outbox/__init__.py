"""Durable deliveries."""
