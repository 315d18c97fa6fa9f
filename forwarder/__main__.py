"""Lets `python -m forwarder` do what `forwarder` does."""

import sys

from forwarder.cli import main

if __name__ == "__main__":
    sys.exit(main())
