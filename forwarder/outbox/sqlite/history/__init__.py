"""What commands read from the file: deliveries, events, revisions of the config."""
