"""The demo shows what it promises, and ends by itself."""

import re
from pathlib import Path

from tests.support.process import command


async def test_the_demo_ends_by_itself_with_nothing_lost_through_an_outage(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    code, out, err = await command("demo", "--count", "80", "--rate", "20", "--svg", str(picture), limit_s=90)
    assert (code, err) == (0, "")
    assert "alerts goes down for 5 s" in out
    assert "alerts is up again" in out
    assert re.search(r"lost +0\b", out)
    assert "connection refused; kept" in out
    assert re.search(r"cashtags → alerts ↻ attempt \d", out)
    assert re.search(r"archive → bot ✓ \d+\.\d ms", out)
    assert "</svg>" in picture.read_text()
