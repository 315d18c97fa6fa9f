"""Commands for those who work on forwarder; CONTRIBUTING.md lists them. Not part of the package."""
