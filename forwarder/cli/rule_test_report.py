"""The results of tests as text, as JSON, and as JUnit XML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from forwarder.cli.traces import of_trace
from forwarder.core.config.rule_tests.run import Result
from forwarder.core.matching import Subject
from forwarder.core.matching.explain import explain
from forwarder.core.yaml.problems import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The results of the tests of one file."""

    file: str
    results: Sequence[Result]
    took_s: float


def difference_text(result: Result) -> str:
    """Return what was expected, what came and why, one line each."""
    expected = result.test.expected
    lines: list[str] = []
    for name in sorted({*expected, *result.got}):
        wanted, got = expected.get(name, ()), result.got.get(name)
        if name in expected and got is not None and (wanted is None or wanted == got):
            lines.append(f"    {name}{_by(got)}")
            continue
        if name in expected:
            lines.append(f"  - {name}{_by(wanted)}")
        if got is not None:
            lines.append(f"  + {name}{_by(got)}")
    if not lines:
        lines.append("    nowhere")
    return "\n".join(map(printable, ["  (-) expected, (+) result", *lines, *_why(result)]))


def _why(result: Result) -> Iterator[str]:
    subject = Subject(result.test.event, result.test.at)
    for each in result.differences:
        yield f"  {each.said}"
        if each.missing is not None:
            yield from (f"  {line}" for line in of_trace(explain(each.missing.condition, subject), is_all=False))


def _by(routes: Sequence[str] | None) -> str:
    return "" if not routes else f"  by {', '.join(routes)}"


def as_json(file: str, result: Result) -> dict[str, object]:
    """Return a result for scripts."""
    return {
        "file": file,
        "line": result.test.line,
        "name": result.test.name,
        "passed": not result.differences,
        "expected": {name: None if routes is None else list(routes) for name, routes in result.test.expected.items()},
        "got": {name: list(routes) for name, routes in result.got.items()},
        "differences": [each.said for each in result.differences],
    }


def junit(suites: Sequence[Suite]) -> bytes:
    """Return a report that CI systems read."""
    root = ET.Element("testsuites", name="forwarder test")
    for suite in suites:
        failed = sum(bool(result.differences) for result in suite.results)
        within = ET.SubElement(
            root, "testsuite", name=suite.file, tests=str(len(suite.results)), failures=str(failed), errors="0",
            skipped="0", time=f"{suite.took_s:.6f}",
        )  # fmt: skip
        for result in suite.results:
            case = ET.SubElement(
                within, "testcase", classname=suite.file, name=_xml(result.test.name), file=suite.file,
                line=str(result.test.line), time=f"{suite.took_s / len(suite.results):.6f}",
            )  # fmt: skip
            if result.differences:
                failure = ET.SubElement(case, "failure", message=_xml(result.differences[0].said), type="difference")
                failure.text = _xml(difference_text(result))
    ET.indent(root)
    report: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return report + b"\n"


def _xml(text: str) -> str:
    """Return a text without the characters that XML 1.0 has none for."""
    return "".join(mark if mark in "\t\n" or mark.isprintable() else "\ufffd" for mark in text)
