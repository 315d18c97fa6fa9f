"""A local scrape.st and a webhook receiver, for the demo, for tests and for users."""
