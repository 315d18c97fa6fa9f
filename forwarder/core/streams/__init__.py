"""What decides about a stream: when to reconnect, what a close means, which stream was first."""
