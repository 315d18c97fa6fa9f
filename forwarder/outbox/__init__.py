"""The outbox: durable deliveries. `open` opens it, `store` has what every store offers."""
