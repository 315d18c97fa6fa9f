"""The static files are in the package, may be kept by a browser, and load nothing from elsewhere."""

import re

import aiohttp
import pytest

from forwarder.web.page.static_files import StaticFiles
from tests.support.paths import ROOT
from tests.support.static_page import served

STATIC = ROOT / "forwarder" / "web" / "page" / "static"
TEMPLATES = ROOT / "forwarder" / "web" / "page" / "templates"


def test_every_file_of_the_folder_is_served() -> None:
    assert StaticFiles().names == sorted(path.name for path in STATIC.iterdir())


def test_a_file_that_is_not_there_has_no_address() -> None:
    with pytest.raises(KeyError):
        StaticFiles().address_of("nothing.js")


async def test_a_browser_may_keep_a_file_whose_address_changes_with_the_content() -> None:
    static = StaticFiles()
    async with served(static) as url, aiohttp.ClientSession() as session:
        for name, type_ in (("style.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
            async with session.get(url + static.address_of(name)) as answer:
                assert (answer.status, answer.content_type) == (200, type_)
                assert "immutable" in answer.headers["Cache-Control"]
                assert await answer.read() == (STATIC / name).read_bytes()
                etag = answer.headers["ETag"]
            async with session.get(url + static.address_of(name), headers={"If-None-Match": etag}) as answer:
                assert (answer.status, await answer.read()) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/static/0000000000000000/page.js", "/static/DIGEST/nothing.js", "/static/DIGEST/..%2Fpages.py"]
)
async def test_other_paths_are_not_there(path: str) -> None:
    static = StaticFiles()
    digest = static.address_of("page.js").split("/")[2]
    async with served(static) as url, aiohttp.ClientSession() as session:
        async with session.get(url + path.replace("DIGEST", digest)) as answer:
            assert answer.status == 404


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline() -> None:
    for path in (*STATIC.iterdir(), *TEMPLATES.iterdir()):
        text = (
            path.read_text(encoding="utf-8")
            .replace('"http://www.w3.org/2000/svg"', "")
            .replace("'http://www.w3.org/2000/svg'", "")
        )
        assert not re.search(r"https?://", text), path.name
        assert not re.search(
            r"""\sstyle=|\son[a-z]+=|<style|javascript:|innerHTML|insertAdjacentHTML|\beval\(|document\.write""", text
        ), path.name


def test_the_scripts_import_only_files_that_are_there() -> None:
    names = set(StaticFiles().names)
    for path in STATIC.glob("*.js"):
        imported = set(re.findall(r"""(?:from|import\()\s*'\./([^']+)'""", path.read_text(encoding="utf-8")))
        assert imported <= names, path.name
