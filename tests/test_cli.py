"""``python -m pytest_secaudit check``: the static half on files, importing nothing of theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_secaudit.cli import main

#: Importing this would stop the test run.
DEFECT = "raise SystemExit('imported')\n\ndef test_a():\n    assert 'true'\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(DEFECT)
    (tmp_path / "tests" / "product.py").write_text(DEFECT)
    (tmp_path / "conftest.py").write_text("raise SystemExit('imported')\n")
    return tmp_path


def test_files_and_folders_are_read_without_importing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "tests"]) == 0
    out = capsys.readouterr().out
    assert "suspected PSA004 constant-assertion   tests/test_a.py:4" in out
    assert "product.py" not in out


def test_named_file_is_read_whatever_its_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "tests/product.py"]) == 0
    assert "tests/product.py:4" in capsys.readouterr().out


def test_gate_is_exit_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "tests", "--fail-on=defect"]) == 1
    assert "the audit failed the run: 1 new finding at or above defect" in capsys.readouterr().out
    assert main(["check", "tests", "--fail-on=defect", "--ignore=PSA004"]) == 0
    assert main(["check", "tests", "--fail-on=defect", "--select=real-sleep"]) == 0


def test_json_is_the_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "tests", "--format=json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema_version"] == 1
    assert [finding["path"] for finding in data["findings"]] == ["tests/test_a.py"]


def test_settings_of_the_pytest_configuration_apply(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = "-n 4 --cov -p nothing"\nrequired_plugins = ["pytest-nothing"]\n'
        'unknown_key = 1\npython_functions = ["check_*"]\n'
        'secaudit_per_file_ignores = ["tests/*: PSA004"]\nsecaudit_fail_on = "defect"\n'
    )
    assert main(["check", "tests"]) == 0
    assert "suppressed 1" in capsys.readouterr().out


def test_suppressions_apply(folder: Path) -> None:
    path = folder / "tests" / "test_a.py"
    path.write_text("def test_a():\n    assert 'true'  # secaudit: ignore[PSA004] on purpose\n")
    assert main(["check", "tests", "--fail-on=info"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [["check", "nowhere"], ["check"], [], ["check", "tests", "--select=PSA999"], ["check", "tests", "--fail-on=x"]],
)
def test_wrong_usage_is_exit_2(folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert capsys.readouterr().err


def test_nothing_of_ours_is_left_in_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("PYTEST_ADDOPTS", "--nonsense")
    before = dict(os.environ)
    assert main(["check", "tests"]) == 0
    assert dict(os.environ) == before


def test_broken_file_is_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tests" / "test_b.py").write_text("def broken(:\n")
    assert main(["check", "tests", "-v"]) == 0
    assert "tests/test_b.py: not valid for this Python" in capsys.readouterr().out


def test_conftest_that_replaces_sleep_clears_a_sleep(folder: Path) -> None:
    (folder / "tests" / "test_a.py").write_text("import time\ndef test_a():\n    time.sleep(3)\n")
    assert main(["check", ".", "--fail-on=advisory"]) == 1
    (folder / "tests" / "conftest.py").write_text(
        "import pytest\n@pytest.fixture(autouse=True)\ndef fast(monkeypatch):\n    monkeypatch.setattr('time.sleep', print)\n"
    )
    assert main(["check", ".", "--fail-on=advisory"]) == 0
    assert main(["check", "tests/test_a.py", "--fail-on=advisory"]) == 0
    (folder / "tests" / "conftest.py").rename(folder / "conftest.py")
    assert main(["check", "tests/test_a.py", "--fail-on=advisory"]) == 0


def test_markdown_is_the_review_of_what_reading_can_tell(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format=markdown", str(folder)]) == 0
    review = capsys.readouterr().out
    assert review.startswith("# Review of the test suite\n")
    assert "Nothing was run." in review
    assert "Patches in force at the end (no test of the file ran). *(n)*" in review
    assert "*(m)*" not in review


@pytest.mark.parametrize(
    ("kind", "start"),
    [("json", "{"), ("sarif", "{"), ("gitlab", "["), ("github", "::"), ("html", "<!"), ("markdown", "# Review")],
)
def test_every_report_goes_to_standard_output(
    folder: Path, kind: str, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tests" / "test_a.py").write_text("import time\ndef test_a():\n    time.sleep(3)\n")
    assert main(["check", "tests", f"--format={kind}"]) == 0
    out = capsys.readouterr().out
    assert out.lower().startswith(start.lower())
    assert "sleep" in out


def test_a_baseline_hides_what_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tests" / "test_a.py").write_text("import time\ndef test_a():\n    time.sleep(3)\n    assert time\n")
    entry = {"code": "PSA701", "path": "tests/test_a.py", "in": "test_a", "text": "time.sleep(3)"}
    known = {"baseline_version": 1, "depth": "static", "catalogue": {"PSA701": 1}, "entries": [entry]}
    (folder / "known.json").write_text(json.dumps(known))
    assert main(["check", "tests", "--fail-on=info"]) == 1
    capsys.readouterr()
    assert main(["check", "tests", "--baseline=known.json", "--fail-on=info"]) == 0
    assert "baseline 1" in capsys.readouterr().out
    assert main(["check", "tests", "--baseline=gone.json"]) == 2
