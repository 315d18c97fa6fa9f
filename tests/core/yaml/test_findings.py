"""Where a problem is reported."""

from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.parse import read_nodes
from forwarder.core.yaml.tree import Path


def place(path: Path, *, key: bool = False) -> tuple[int, int, str]:
    findings = Findings(*read_nodes(b"a:\n  - b: 1\n    c_file: 2\n"))
    (findings.add_at_key if key else findings.add)(path, "wrong")
    (problem,) = findings.problems
    return problem.line, problem.column, problem.path


def test_a_value_has_its_own_place() -> None:
    assert place(("a", 0, "b")) == (2, 8, "a[0].b")
    assert place(("a", 0, "b"), key=True) == (2, 5, "a[0].b")


def test_what_is_not_there_has_the_place_of_what_should_hold_it() -> None:
    assert place(("a", 0, "d")) == (2, 5, "a[0]")
    assert place(("a", 0, "d"), key=True) == (2, 5, "a[0]")
    assert place(("a", 7)) == (2, 3, "a")
    assert place(("a", "d", "e"), key=True) == (2, 3, "a")


def test_what_came_from_a_file_has_the_place_of_its_name() -> None:
    assert place(("a", 0, "c", 0)) == (3, 13, "a[0].c_file")


def test_nothing_more_is_said_about_a_spoiled_value() -> None:
    findings = Findings(*read_nodes(b"a: b\nc: d\n"))
    findings.spoil(("a",), "cannot be known")
    findings.add(("a",), "wrong")
    findings.add(("c",), "wrong")
    assert [problem.message for problem in findings.problems] == ["cannot be known", "wrong"]
