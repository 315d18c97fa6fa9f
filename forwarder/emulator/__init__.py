"""A stand-in for scrape.st and a webhook receiver, used by the demo, the tests and by users."""
