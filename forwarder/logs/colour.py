"""Whether an output shows colours: on a terminal only, and never with NO_COLOR (https://no-color.org)."""

import os


def takes_colour(descriptor: int) -> bool:
    """Return whether to write colours to this file descriptor."""
    return os.isatty(descriptor) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
