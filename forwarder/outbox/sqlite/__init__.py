"""The outbox in one SQLite file: one connection, one writer, group commits."""
