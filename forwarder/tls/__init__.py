"""TLS as the config asks for it: contexts, checks of certificates, and why a handshake failed."""
