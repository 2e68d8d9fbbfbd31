"""The examples of checks that only the run can tell: each is run, the BAD ones are reported where they say."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from pytest_secaudit.checks import built_in
from pytest_secaudit.model import Check

WATCHED = [check for check in built_in() if check.rule is None and check.bad]
MARK = re.compile(r"#.*?\b(PSA\d{3})\b")


def reported(pytester: pytest.Pytester, check: Check, *args: str) -> set[tuple[str, int]]:
    """File and line of each finding of the check."""
    pytester.run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--secaudit", f"--secaudit-select={check.code}",
        "--secaudit-report=json:audit.json", *args,
    )  # fmt: skip
    data = json.loads(Path(pytester.path, "audit.json").read_text("utf-8"))
    assert not data["evidence"]["not_audited"]
    assert not any("failed" in state for state in data["evidence"]["watchers"].values()), data["evidence"]["watchers"]
    if not data["evidence"]["tests_run"]:
        pytest.skip("its examples need a library that is not installed")
    return {(finding["path"], finding["line"]) for finding in data["findings"]}


@pytest.mark.parametrize(
    ("check", "number"), [(c, n) for c in WATCHED for n in range(len(c.bad))], ids=lambda v: getattr(v, "code", v)
)
def test_bad_example_is_reported_at_its_marked_lines(pytester: pytest.Pytester, check: Check, number: int) -> None:
    source = check.bad[number]
    pytester.makepyfile(test_bad=source)
    marks = {
        ("test_bad.py", line)
        for line, text in enumerate(Path("test_bad.py").read_text("utf-8").splitlines(), 1)
        for match in MARK.finditer(text)
        if match[1] == check.code
    }
    assert marks, "a BAD example marks at least one line"
    assert reported(pytester, check) == marks


@pytest.mark.parametrize("check", WATCHED, ids=lambda check: check.code)
def test_good_examples_are_silent(pytester: pytest.Pytester, check: Check) -> None:
    pytester.makepyfile(**{f"test_good_{number}": source for number, source in enumerate(check.good)})
    assert reported(pytester, check) == set()
