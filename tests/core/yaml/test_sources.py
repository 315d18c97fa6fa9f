"""Lines that are counted on over several files, and the file and line that each of them is."""

import pytest

from forwarder.core.yaml.sources import ALONE, Sources


@pytest.fixture
def sources() -> Sources:
    """Three files: of two lines (1 and 2), of one without a line end (4), and of old line ends (5 to 7)."""
    found = Sources(b"a\nb\n", "config.yaml")
    assert found.add("one.yaml", b"c") == 3
    assert found.add("two.yaml", b"d\re\r") == 4
    found.note_list("routes", 2, "one.yaml")
    found.note_list("routes", 2, "two.yaml")  # the file before it has none
    found.note_list("routes", 5, "three.yaml")
    found.note_destinations(["bot"], "one.yaml")
    found.note_destinations(["bot", "alerts"], "two.yaml")
    return found


@pytest.mark.parametrize(
    ("line", "place"),
    [(1, ("", 1)), (2, ("", 2)), (3, ("", 3)), (4, ("one.yaml", 1)), (5, ("two.yaml", 1)), (7, ("two.yaml", 3))],
)
def test_a_line_says_its_file(sources: Sources, line: int, place: tuple[str, int]) -> None:
    assert sources.place(line) == place
    assert sources.shown(line, 8) == f"{place[0] or 'config.yaml'}:{place[1]}:8"


def test_an_element_of_a_list_has_the_index_that_it_has_in_its_own_file(sources: Sources) -> None:
    assert [sources.element("routes", index) for index in (0, 1, 2, 4, 5)] == [
        "routes[0]",
        "routes[1]",
        "two.yaml: routes[0]",
        "two.yaml: routes[2]",
        "three.yaml: routes[0]",
    ]
    assert sources.own_path(("routes", 4, "to", 1)) == ("routes", 2, "to", 1)
    for path in ((), ("routes",), ("tests", 4), ("destinations", "bot", "url")):
        assert sources.own_path(path) == path


def test_which_file_has_a_destination(sources: Sources) -> None:
    assert [sources.of_destination(name) for name in ("bot", "alerts", "other")] == ["one.yaml", "two.yaml", ""]
    assert sources.included == ["one.yaml", "two.yaml"]


def test_a_config_alone_has_all_lines() -> None:
    assert ALONE.place(9000) == ("", 9000)
    assert (ALONE.element("routes", 7), ALONE.included) == ("routes[7]", [])
