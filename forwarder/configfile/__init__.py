"""The config file on disk: read it, notice when it is saved, run the tests in it."""
