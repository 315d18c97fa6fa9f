"""Events and templates that together cost more than a daemon can spend."""

import json

LARGE = json.dumps(
    {
        "source": "x",
        "mid": "large",
        "sid": "1",
        "timestamp": 1767225600000,
        "payload": {"text": "a" * 2_000_000, "rows": [{"u": None, "number": number} for number in range(12_000)]},
    }
).encode()
"""An event of 2.3 MB."""

CONTAINS = "{% for m in payload.rows %}{% if (m.u or 'zz') in payload.text | lower %}1{% endif %}{% endfor %}ok"
"""Searches and copies a long text for each of many rows: 16 seconds with the large event."""
NESTED = "{% for m in payload.rows %}{% for n in payload.rows %}{% endfor %}{% endfor %}ok"
"""Counts less than it costs, so that the limit of CPU time ends it with the large event."""
