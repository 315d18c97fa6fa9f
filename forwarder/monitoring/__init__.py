"""Watches destinations and streams, and reports when something is wrong."""
