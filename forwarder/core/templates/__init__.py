"""Templates for bodies and URLs, in a sandbox."""
