"""What several tests need: the real process, a config for it, and a way to look into its outbox."""
