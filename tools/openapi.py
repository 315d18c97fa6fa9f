"""Writes `docs/openapi.json`, the description of the API that the daemon serves under `/api/v1/openapi.json`.

`python -m tools.openapi` writes it.
"""

import json
import sys
from pathlib import Path
from typing import cast

from forwarder.web.access import Sessions
from forwarder.web.api import Api
from forwarder.web.guard import Guard
from forwarder.web.ports import DaemonAccess

PAGE = Path(__file__).parents[1] / "docs" / "openapi.json"


def described() -> str:
    """Return the text of the file."""
    nobody = cast("DaemonAccess", None)  # only the types are looked at
    return json.dumps(Api(nobody, cast("Guard", None), Sessions()).document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(described(), encoding="utf-8")
    sys.exit()
