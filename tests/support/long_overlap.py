"""The daemon that hands over only after ten seconds, for tests of what happens before: `python -m tests.support.long_overlap run …`.

With the one second that it takes otherwise, a busy test notices what the successor logs when everything is over.
"""

import sys
from datetime import timedelta

from forwarder.cli import main
from forwarder.upgrade import handover

if __name__ == "__main__":
    handover.OVERLAP = timedelta(seconds=10)
    sys.exit(main())
