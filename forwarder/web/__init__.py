"""Health checks and metrics over HTTP, on the loopback interface."""
