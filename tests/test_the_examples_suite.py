"""The example suite is reported exactly where it says so, and passes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_secaudit.checks import built_in
from pytest_secaudit.model import Check
from pytest_secaudit.rules import read

ROOT = Path(__file__).parents[1] / "examples"
FILES = sorted((ROOT / "tests").rglob("*.py"))
#: `planted 2 above` is for checks that take a comment at the place itself for the author's reason.
MARK = re.compile(r"[#,] (planted|hidden|armed)(?: (\d) above)?: (PSA\d{3})(?=,|$)")

Places = set[tuple[str, int, str]]


def marked(kind: str) -> Places:
    """Path, line and code of each mark of this kind."""
    return {
        (path_of(file), number - int(match[2] or 0), match[3])
        for file in FILES
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for match in MARK.finditer(line)
        if match[1] == kind
    }


def path_of(file: Path) -> str:
    """As reports name it: relative to the rootdir, which is the folder of the example suite's own settings."""
    return file.relative_to(ROOT).as_posix()


def armed_in(file: Path) -> Places:
    """What reading this file hands over to the run, to be watched."""
    found = read(file.read_bytes(), path_of(file), built_in())
    return {(found.path, armed.line, armed.code) for armed in found.armed}


def is_silent(check: Check) -> bool:
    """Whether reading reports nothing even of what the check calls bad: it only arms the run."""
    return bool(check.bad) and not any(read(bad.encode(), "tests/test_bad.py", [check]).hits for bad in check.bad)


def audited_run(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """A run of the example suite with the audit, and its report. What the tests leave on the disk is left in `folder`."""
    report = folder / "audit.json"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--secaudit", *options]
    command += [f"--secaudit-report=json:{report}", "examples"]
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    result = subprocess.run(
        command, cwd=ROOT.parent, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert report.exists(), result.stdout + result.stderr
    return result, json.loads(report.read_text(encoding="utf-8"))


def having(report: dict[str, Any], status: str) -> Places:
    return {(f["path"], f["line"], f["code"]) for f in report["findings"] if f["status"] == status}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    return audited_run(tmp_path_factory.mktemp("examples"))


def test_the_examples_pass(audited: Any) -> None:
    """Hazards hide in green tests: that is what the suite shows."""
    result, _ = audited
    assert result.returncode == 0, result.stdout + result.stderr
    assert " failed" not in result.stdout.splitlines()[-1]


def test_what_is_planted_is_reported_and_nothing_else(audited: Any) -> None:
    """The correct twins beside the planted lines are silent."""
    _, report = audited
    confirmed = {place for place in marked("armed") if place[2] == "PSA011"}  # speaks only when a run has seen it
    assert having(report, "new") == marked("planted") | confirmed


def test_what_an_ignore_hides_is_found_and_counted(audited: Any) -> None:
    """An ignore moves a finding out of the report, not out of the count."""
    _, report = audited
    assert having(report, "ignored") == marked("hidden")


def test_what_is_only_to_be_watched_is_marked_as_armed() -> None:
    """Too weak to be reported; the run is told where to look."""
    assert {place for file in FILES for place in armed_in(file)} == marked("armed")


@pytest.mark.parametrize("check", [one for one in built_in() if one.rule or not one.bad], ids=lambda check: check.code)
def test_every_check_has_its_line(check: Check) -> None:
    """A rule that comes new brings a line of the example suite: reported, or armed if reading never reports it.

    What only a run can tell has examples that are run: `test_watched_examples`.
    """
    if check.code in ("PSA704", "PSA810"):
        pytest.skip("no line, but a setting or an option of the run, makes it report")
    assert check.code in {code for _, _, code in marked("armed" if is_silent(check) else "planted")}


def test_two_workers_report_the_same(audited: Any, tmp_path: Path) -> None:
    """What the planted lines leave behind makes no other test fail, whichever process they run in."""
    pytest.importorskip("xdist")
    alone, report = audited
    shared, other = audited_run(tmp_path, "-n2")
    assert shared.returncode == alone.returncode == 0, shared.stdout + shared.stderr
    assert having(other, "new") == having(report, "new")


def test_the_other_way_round_they_pass_too(tmp_path: Path) -> None:
    """What a planted line leaves behind makes no test before it fail either."""
    (tmp_path / "backwards.py").write_text("def pytest_collection_modifyitems(items):\n    items.reverse()\n")
    result, _ = audited_run(tmp_path, "-p", "backwards", "-o", f"pythonpath=. {tmp_path.as_posix()}")
    assert result.returncode == 0, result.stdout + result.stderr
