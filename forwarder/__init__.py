"""forwarder: one scrape.st stream in, YAML rules, webhooks out, nothing accepted is lost."""

__version__ = "0.1.0"
