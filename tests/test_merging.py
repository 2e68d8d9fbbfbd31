"""Shards as one run, and what is different between two runs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from pytest_secaudit.reports import json as json_report
from pytest_secaudit.reports.json import NoReport

A = """
import os
import time

import pytest


@pytest.fixture(scope="module")
def broker():
    os.environ["BROKER"] = "on"


def test_leaves(broker):
    os.environ["LEFT"] = "1"
    assert os.environ


def test_sleeps():
    time.sleep(0.3)
    assert time


def test_clears():
    try:
        int("x")
    except ValueError as error:
        assert "x" in str(error)
"""
B = """
import os
import socket


def test_leaves_too():
    os.environ["LEFT_TOO"] = "1"
    assert os.environ


def test_sees_it():
    assert os.environ["LEFT_TOO"] == "1"
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")
    pytester.makepyfile(test_a=A, test_b=B)
    return pytester


def run(pytester: pytest.Pytester, name: str, *options: str) -> dict:
    pytester.runpytest_subprocess("--secaudit", f"--secaudit-report=json:{name}.json", *options)
    data: dict = json.loads((pytester.path / f"{name}.json").read_text("utf-8"))
    return data


def command(pytester: pytest.Pytester, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_secaudit", *arguments],
        cwd=pytester.path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def judged(data: dict) -> list[tuple[object, ...]]:
    return sorted(
        (one["code"], one["subject"], one["evidence"], one["severity"], one["path"], one["line"], len(one["owners"]))
        for one in data["findings"]
    )


def test_a_report_that_is_read_is_the_one_that_was_written(suite: pytest.Pytester) -> None:
    run(suite, "whole", "--secaudit-no-suppress")
    text = (suite.path / "whole.json").read_text("utf-8")
    audit = json_report.parse(text)
    assert json_report.render(audit, with_cleared=True) == text
    assert audit.cleared
    brief = json_report.parse(json_report.render(audit))
    assert (brief.cleared, brief.all_cleared) == ((), audit.all_cleared)


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "no JSON report"), ("[3]", "no JSON report"), ('{"schema_version": 2}', "schema_version is 2"),
     ('{"schema_version": 1}', "damaged: KeyError")],
)  # fmt: skip
def test_what_is_no_report_says_why(text: str, why: str) -> None:
    with pytest.raises(NoReport, match=why):
        json_report.parse(text)


@pytest.mark.parametrize(
    "shards",
    [
        (("test_a.py",), ("test_b.py",)),
        (("-k", "leaves or sees"), ("-k", "sleeps"), ("-k", "clears")),
    ],
    ids=["by file", "by test"],
)
def test_shards_are_one_run(suite: pytest.Pytester, shards: tuple[tuple[str, ...], ...]) -> None:
    whole = run(suite, "whole")
    names = [f"shard{number}.json" for number, options in enumerate(shards)]
    for name, options in zip(names, shards, strict=True):
        run(suite, name.removesuffix(".json"), *options)
    done = command(suite, "merge", *names, "--report=json:merged.json", "--fail-on=defect")
    data = json.loads((suite.path / "merged.json").read_text("utf-8"))
    jsonschema.validate(data, json.loads((files("pytest_secaudit.reports") / "report.schema.json").read_text("utf-8")))
    assert judged(data) == judged(whole)
    assert data["run"]["complete"]
    assert data["evidence"]["tests_run"] == whole["evidence"]["tests_run"] == 5
    assert data["evidence"]["modules"] == whole["evidence"]["modules"]
    assert data["evidence"]["tests_with_a_check"] == whole["evidence"]["tests_with_a_check"]
    assert data["cleared_suspicions"] == whole["cleared_suspicions"]
    assert data["files"] == whole["files"]
    assert [site["line"] for site in data["sleep"]["sites"]] == [site["line"] for site in whole["sleep"]["sites"]]
    assert done.returncode == 1
    assert "the audit failed the run: " in done.stdout
    assert data["gate"]["failed"]


def test_a_suspicion_that_another_shard_cleared_is_cleared(suite: pytest.Pytester) -> None:
    suspected = run(suite, "one", "-k", "leaves")
    cleared = run(suite, "two", "-k", "clears")
    (fingerprint,) = (one["fingerprint"] for one in cleared["cleared_suspicions"])
    assert fingerprint in {one["fingerprint"] for one in suspected["findings"]}
    command(suite, "merge", "one.json", "two.json", "--report=json:merged.json")
    data = json.loads((suite.path / "merged.json").read_text("utf-8"))
    assert fingerprint not in {one["fingerprint"] for one in data["findings"]}
    assert fingerprint in {one["fingerprint"] for one in data["cleared_suspicions"]}


def test_processes_of_shards_are_told_apart(suite: pytest.Pytester) -> None:
    run(suite, "one", "-n2")
    run(suite, "two", "test_b.py")
    command(suite, "merge", "one.json", "two.json", "--report=json:merged.json")
    data = json.loads((suite.path / "merged.json").read_text("utf-8"))
    assert sorted(data["run"]["bodies"]) == ["1 gw0", "1 gw1", "2"]
    processes = {one[0] for found in data["run"]["in_force"].values() for one in found["lived"]}
    assert processes <= set(data["run"]["bodies"])
    assert "2" in processes


def test_a_baseline_of_shards(suite: pytest.Pytester) -> None:
    run(suite, "one", "test_a.py")
    run(suite, "two", "test_b.py")
    done = command(
        suite, "merge", "one.json", "two.json", "--baseline=known.json", "--write-baseline", "--fail-on=info"
    )
    assert done.returncode == 0, done.stdout
    assert "written to known.json" in done.stdout
    assert command(suite, "merge", "one.json", "two.json", "--baseline=known.json", "--fail-on=info").returncode == 0
    (suite.path / "test_b.py").write_text(
        B.replace('os.environ["LEFT_TOO"] = "1"', "os.environ.update()").replace('os.environ["LEFT_TOO"] ==', '"1" =='),
        "utf-8",
    )
    run(suite, "two", "test_b.py")
    done = command(suite, "merge", "two.json", "--baseline=known.json", "--fail-on=info")
    assert done.returncode == 0
    assert "test_a.py" not in done.stdout, "its shard is not there"
    done = command(suite, "merge", "one.json", "two.json", "--baseline=known.json")
    assert "PSA101 test_b.py os.environ['LEFT_TOO']" in done.stdout, "all shards together tell that it is gone"


@pytest.mark.parametrize("kind", ["sarif", "html", "gitlab", "markdown"])
def test_every_report_of_shards(suite: pytest.Pytester, kind: str) -> None:
    run(suite, "one", "test_a.py")
    assert command(suite, "merge", "one.json", f"--report={kind}:out/all.{kind}").returncode == 0
    said = "2 defects" if kind == "markdown" else "PSA101"
    assert said in (suite.path / "out" / f"all.{kind}").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("merge", "gone.json"), "gone.json: it cannot be read"),
        (("merge", "test_a.py"), "test_a.py: it is no JSON report"),
        (("diff", "gone.json", "gone.json"), "gone.json: it cannot be read"),
        (("merge", "one.json", "--report=xml:x"), "'xml:x' is not accepted"),
        (("merge", "one.json", "--baseline=gone.json"), "there is no such file"),
        (("merge", "one.json", "--report-root=../x"), "'../x' is not accepted"),
    ],
)
def test_wrong_usage_names_itself(suite: pytest.Pytester, arguments: tuple[str, ...], why: str) -> None:
    if "one.json" in arguments:
        run(suite, "one", "test_b.py")
    done = command(suite, *arguments)
    assert (done.returncode, why in done.stderr) == (2, True), done.stderr


def test_a_report_that_cannot_be_written_fails_the_merge(suite: pytest.Pytester) -> None:
    run(suite, "one", "test_b.py")
    Path(suite.path, "out").write_text("a file, no folder")
    done = command(suite, "merge", "one.json", "--report=json:out/all.json")
    assert done.returncode == 1
    assert "was not written" in done.stdout


# --- diff


def test_what_is_fixed_new_and_still_there(suite: pytest.Pytester) -> None:
    run(suite, "old")
    text = (
        A.replace('os.environ["BROKER"] = "on"', "pass")
        + '\n\ndef test_more():\n    os.environ["MORE"] = "1"\n    assert 1\n'
    )
    (suite.path / "test_a.py").write_text("\n\n" + text, "utf-8")
    run(suite, "new")
    done = command(suite, "diff", "old.json", "new.json")
    assert done.returncode == 0
    said = done.stdout
    assert "new        defect   PSA101 environ-not-restored   test_a.py:" in said
    assert "os.environ['MORE']" in said
    assert "fixed      defect   PSA101 environ-not-restored   test_a.py:9" in said
    assert "LEFT" not in said
    assert said.splitlines()[-1] == "1 fixed, 1 new, 2 still there" or "still there" in said.splitlines()[-1]


def test_what_did_not_run_is_not_fixed(suite: pytest.Pytester) -> None:
    run(suite, "old")
    run(suite, "new", "test_b.py", "-k", "sees")
    said = command(suite, "diff", "old.json", "new.json").stdout
    assert "\nfixed " not in f"\n{said}"
    assert "not judged defect   PSA101" in said


def test_a_host_that_was_not_contacted_before(suite: pytest.Pytester) -> None:
    run(suite, "old")
    path = suite.path / "test_b.py"
    path.write_text(
        path.read_text("utf-8")
        + '\n\ndef test_reaches():\n    try:\n        socket.create_connection(("203.0.113.7", 9), timeout=0.01)\n'
        "    except OSError as error:\n        assert error\n",
        "utf-8",
    )
    run(suite, "new")
    said = command(suite, "diff", "old.json", "new.json").stdout
    assert "contacted  host 203.0.113.7:9, for the first time, by test_b.py::test_reaches" in said
    assert "1 contact that the old run did not have" in said
