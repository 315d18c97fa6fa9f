"""CI and pre-commit do the same checks, and pre-commit gets none from elsewhere."""

import re
import subprocess

import yaml

from tests.support.paths import ROOT

HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
CHECKS = ROOT / ".ci" / "checks"


def test_pre_commit_runs_each_check_of_ci_and_no_other() -> None:
    listed = subprocess.run([CHECKS, "--list"], check=True, capture_output=True, text=True, timeout=60).stdout.split()
    (local,) = HOOKS["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == [f".ci/checks {name}" for name in listed]
    for hook in local["hooks"]:
        assert hook["language"] == "system"
        assert (hook["pass_filenames"], hook["always_run"]) == (False, True)


def test_ci_runs_them_all() -> None:
    assert re.search(r"^(run )?\.ci/checks$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_a_check_that_fails_or_is_not_there_fails_the_script() -> None:
    ran = subprocess.run([CHECKS, "spelling"], check=False, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert "no check is called spelling; there are: format" in ran.stderr
