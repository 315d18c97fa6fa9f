"""How many examples hypothesis makes of each property.

`FORWARDER_TEST_EXAMPLES=few` makes few: where the tests show that the code runs with other versions, after another run has searched with all.
"""

import os

from hypothesis import settings

FEW = os.environ.get("FORWARDER_TEST_EXAMPLES") == "few"
_FEW = 10


def examples(count: int) -> settings:
    """Return the settings of a test with so many examples, or with few."""
    return settings(deadline=None, max_examples=min(count, _FEW) if FEW else count)
