"""A file of variables is read as systemd reads it for `EnvironmentFile=`."""

from pathlib import Path

import pytest

from forwarder.configfile.env_file import EnvFileUnreadableError, read_env_file


def read(folder: Path, text: str | bytes) -> tuple[dict[str, str], list[str]]:
    file = folder / "environment"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_env_file(file)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("A=b", {"A": "b"}),
        ("A=b\nC=d\n", {"A": "b", "C": "d"}),
        ("A=\nB=", {"A": "", "B": ""}),
        ("  A = b c  \n", {"A": "b c"}),
        ("A=b # no comment\n", {"A": "b # no comment"}),
        ("# A=1\n; B=2\n  # C=3\nD=4\n", {"D": "4"}),
        ("A=https://h/?a=1&b=$2;c=`x`|(y)<z>*\n", {"A": "https://h/?a=1&b=$2;c=`x`|(y)<z>*"}),
        ("A='https://h/?a=1&b=$2'\n", {"A": "https://h/?a=1&b=$2"}),
        ("A='it is a \\ and \"'\n", {"A": 'it is a \\ and "'}),
        ('A="a \\" b \\\\ c \\$d \\` \\n"\n', {"A": 'a " b \\ c $d ` \\n'}),
        ('A="one\ntwo"\n', {"A": "one\ntwo"}),
        ("A='one\ntwo'\nB=1\n", {"A": "one\ntwo", "B": "1"}),
        ('A="one \\\ntwo"\n', {"A": "one two"}),
        ("A=one \\\n  two\nB=1\n", {"A": "one   two", "B": "1"}),
        ("A=a\\ \\ \n", {"A": "a  "}),
        ("A=a\\\\b\\nc\n", {"A": "a\\bnc"}),
        ("A='a' 'b'\"c\"d e\n", {"A": "abcd e"}),
        ('A=it\'s "so"\n', {"A": 'it\'s "so"'}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("A=b\r\nC='d'\r\n", {"A": "b", "C": "d"}),
        ("A=1\\", {"A": "1"}),
        ("A=äöü €\n", {"A": "äöü €"}),
        ("a_1=lower\n_X=1\n", {"a_1": "lower", "_X": "1"}),
        (b"# caf\xe9\nA=1\n", {"A": "1"}),
        ("# a path: C:\\dir \n#\\\\\n# \\\r\nA=1\n", {"A": "1"}),
    ],
)
def test_it_is_read_as_systemd_reads_it(tmp_path: Path, text: str | bytes, variables: dict[str, str]) -> None:
    assert read(tmp_path, text) == (variables, [])


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("A=1\nexport B=2\n", 2, "`export`"),
        ("A=1\n\nB\n", 3, "there is no `=`"),
        ("A=1\n2B=secret\n", 2, "letters, digits"),
        ("A=1\nB-C=secret\n", 2, "letters, digits"),
        ("A=1\n=secret\n", 2, "letters, digits"),
        ("A='1\n2'\nno line\nB", 3, "there is no `=`"),
        ("A=1\nA='secret\nB=secret\n", 2, "the quote is not closed"),
        ('A=1\n\nA="secret\nB=secret\n', 3, "the quote is not closed"),
        ("# a comment \\\nA=1\n", 1, "systemd before version 254"),
        ("A=1\n; C=secret\\\n", 2, "systemd before version 254"),
    ],
)
def test_what_systemd_ignores_is_reported_with_its_line_and_without_a_secret(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    variables, (ignored, *_) = read(tmp_path, text)
    assert list(variables) == ["A"]
    assert f"environment:{line}: " in ignored
    assert said in ignored
    assert "secret" not in ignored


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    for text in (None, b"A=\xff\n", b"\xe9A=1\n", b"B=1\nA=a\0b\n", b"A=1\n# \0\n"):
        with pytest.raises(EnvFileUnreadableError, match=r"--env-file: .*environment cannot be read: "):
            read_env_file(tmp_path / "environment") if text is None else read(tmp_path, text)


def test_a_byte_order_mark_is_no_part_of_the_first_name_and_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    path.write_bytes(b"\xef\xbb\xbfA='1'\r\nB=2\r\n")
    variables, remarks = read_env_file(path)
    assert variables == {"A": "1", "B": "2"}
    assert remarks == [
        f"{path}:1: the file begins with a byte order mark (BOM), with which systemd ignores its first variable; save it without one"
    ]
