"""The pictures of the page in the documentation can be made again."""

from pathlib import Path

from tests.support.browser import needs_browser
from tests.support.paths import ROOT
from tools.page_shots import PICTURES, shoot

pytestmark = needs_browser()
SIGNATURE = b"\x89PNG\r\n\x1a\n"


async def test_every_picture_is_made(tmp_path: Path) -> None:
    await shoot(tmp_path, after_s=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PICTURES)
    assert all(path.read_bytes().startswith(SIGNATURE) for path in tmp_path.iterdir())


def test_the_documentation_has_every_picture_and_none_is_large() -> None:
    assert {path.name for path in (ROOT / "docs").glob("page-*.png")} == set(PICTURES)
    assert all((ROOT / "docs" / name).stat().st_size < 250_000 for name in PICTURES)
