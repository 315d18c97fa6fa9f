"""What one attempt sends and to whom, and how the response is read."""
