"""Several places under one name, and sleeps that did not take place, in real runs."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest


def audit(pytester: pytest.Pytester, source: str) -> dict:
    """The JSON report of a run in a process of its own, cleared findings included."""
    pytester.makepyfile(test_it=source)
    result = pytester.run(
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--secaudit", "--secaudit-no-suppress",
        "--secaudit-report=json:audit.json",
    )  # fmt: skip
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    result.assert_outcomes(passed=sum(line.startswith("def test_") for line in source.splitlines()))
    data: dict = json.loads(Path(pytester.path, "audit.json").read_text("utf-8"))
    return data


def places(data: dict, code: str) -> list[tuple[int, str, list[str]]]:
    """Line, evidence and owners of each finding of a check, cleared ones included."""
    return sorted(
        (one["line"], one["evidence"], [owner["id"].rpartition("::")[2] for owner in one["owners"]])
        for one in (*data["findings"], *data["cleared"])
        if one["code"] == code
    )


def test_folders_of_several_tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """import tempfile
def test_1():
    folder = tempfile.mkdtemp()
    assert folder
def test_2():
    folder = tempfile.mkdtemp()
    other = tempfile.mkdtemp()
    assert folder != other
"""
    with tempfile.TemporaryDirectory() as folder:  # below pytest's own folder nothing is left behind
        monkeypatch.setenv("TMPDIR", folder)
        found = places(audit(pytester, source), "PSA602")
    assert found == [
        (3, "confirmed", ["test_1"]),
        (6, "confirmed", ["test_2"]),
        (7, "confirmed", ["test_2"]),
    ]


def test_threads_of_the_same_name(pytester: pytest.Pytester) -> None:
    source = """import threading
stop = threading.Event()
class Server:
    def _run(self):
        stop.wait(20)
def _run():
    stop.wait(20)
def test_1():
    threading.Thread(target=_run).start()
def test_2():
    threading.Thread(target=Server()._run).start()
def test_3():
    assert not stop.is_set()
def test_4():
    stop.set()
"""
    assert places(audit(pytester, source), "PSA601") == [(9, "confirmed", ["test_1"]), (11, "confirmed", ["test_2"])]


def test_a_sleep_that_was_cancelled(pytester: pytest.Pytester) -> None:
    source = """import asyncio
import pytest
def test_1():
    async def main():
        async def slow():
            await asyncio.sleep(10)
        task = asyncio.create_task(slow())
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    asyncio.run(main())
"""
    found = places(audit(pytester, source), "PSA701")
    assert found == [(6, "cleared", ["test_1"]), (8, "confirmed", ["test_1"])]
