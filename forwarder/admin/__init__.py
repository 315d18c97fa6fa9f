"""How other programs of this machine talk to the daemon."""
