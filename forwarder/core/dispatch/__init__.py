"""What decides when the next attempt is made: retries, circuit breaker, rates, quotas, order."""
