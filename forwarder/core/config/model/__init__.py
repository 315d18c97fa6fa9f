"""The sections of `config.yaml` as checked values."""
