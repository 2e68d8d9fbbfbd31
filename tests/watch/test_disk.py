"""Files that tests leave: in the project, told by the clock of the file system, and in the folder for temporary ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_secaudit.watch import real
from pytest_secaudit.watch.disk.files import Files
from pytest_secaudit.watch.disk.listing import listing
from pytest_secaudit.watch.disk.temporary import TemporaryPaths
from pytest_secaudit.watch.engine import TICK, Engine
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    return tmp_path


@pytest.fixture
def files(root: Path) -> Files:
    area = Files(Taps(), Stack(str, bool), root=str(root), is_ignored=lambda path: path.endswith("report.xml"))
    area.begin()
    return area


def told(files: Files) -> list[tuple[str, str, str]]:
    return sorted((one.subject, files.said(one), files.level(one)) for _, one in files.look_late())


def test_what_is_left_in_the_project(root: Path, files: Files) -> None:
    (root / "new.txt").write_text("x")
    (root / "folder" / "deep").mkdir(parents=True)
    (root / "folder" / "deep" / "c.txt").write_text("x")
    (root / "data" / "a.txt").write_text("changed")
    (root / "b.txt").unlink()
    assert told(files) == [
        ("b.txt", "removed", "defect"),
        ("data/a.txt", "changed", ""),
        ("folder", "behind, a folder", ""),
        ("new.txt", "behind, a file", ""),
    ]
    assert told(files) == []


def test_when_it_was_done(root: Path, files: Files) -> None:
    before = real.time_ns()
    (root / "data" / "a.txt").unlink()
    [(when, _)] = files.look_late()
    assert before - TICK <= when <= real.time_ns()


def test_what_is_put_back_within_the_clock(root: Path, files: Files) -> None:
    (root / "new.txt").write_text("x")
    (root / "new.txt").unlink()
    assert told(files) == []


@pytest.mark.parametrize(
    "path", [".coverage", "__pycache__/a.pyc", "report.xml", ".cache/x", "htmlcov/index.html", "a.egg-info/x", "a.pyc"]
)
def test_what_tools_keep_is_silent(root: Path, files: Files, path: str) -> None:
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("x")
    assert told(files) == []


def test_environments_are_not_looked_into(root: Path) -> None:
    (root / "mine").mkdir()
    (root / "mine" / "pyvenv.cfg").write_text("")
    assert "mine" not in listing(str(root), lambda path: False)[0]


def test_there_is_an_end_to_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_secaudit.watch.disk.listing.MOST", 1)
    assert not listing(str(root), lambda path: False)[1]
    area = Files(Taps(), Stack(str, bool), root=str(root), is_ignored=lambda path: False)
    area.begin()
    assert "more than" in area.off
    assert area.look_late() == []


def test_a_file_that_the_output_goes_to_is_silent(root: Path, files: Files) -> None:
    with (root / "b.txt").open("a") as output:
        output.write("x")
        output.flush()
        assert told(files) == []


# --- who was on stage


def test_the_owner_is_who_was_on_stage_then(root: Path, files: Files) -> None:
    engine = Engine([files])
    engine.begin_tests()
    for number in range(3):
        actor = Actor("test", f"t.py::test_{number}", scope="function", path="t.py", serial=number)
        engine.enter(actor)
        real.sleep(0.03)
        if number == 1:
            (root / "new.txt").write_text("x")
        real.sleep(0.03)
        engine.leave(actor)
    engine.look_late(at_last=True)
    [claim] = engine.claimed()
    assert (claim.owner.id, claim.subject, claim.said) == ("t.py::test_1", "new.txt", "behind, a file")


def test_what_nobody_on_stage_wrote_is_nobodys(root: Path, files: Files) -> None:
    engine = Engine([files])
    engine.begin_tests()
    actor = Actor("test", "t.py::test_it", scope="function", path="t.py")
    engine.enter(actor)
    engine.leave(actor)
    real.sleep(0.03)
    (root / "new.txt").write_text("x")
    engine.look_late(at_last=True)
    assert engine.claimed() == ()


# --- the folder for temporary files


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TemporaryPaths]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    taps = Taps()
    yield TemporaryPaths(taps, Stack(str, bool), is_ignored=lambda path: "ignored" in path)
    taps.take_back()


def test_what_tempfile_made_and_nobody_removed(temporary: TemporaryPaths) -> None:
    folder = tempfile.mkdtemp()
    number, file = tempfile.mkstemp()
    os.close(number)
    with tempfile.NamedTemporaryFile(delete=False) as named:
        pass
    assert {(one.key, temporary.said(one)) for one in temporary.look()} == {
        (folder, "behind, a folder"),
        (file, "behind, a file"),
        (named.name, "behind, a file"),
    }
    shutil.rmtree(folder)
    assert [(one.key, one.after) for one in temporary.look_closely()] == [(folder, "<absent>")]


def test_what_is_removed_again_is_silent(temporary: TemporaryPaths) -> None:
    with tempfile.TemporaryDirectory(), tempfile.NamedTemporaryFile(), tempfile.TemporaryFile():
        pass
    os.rmdir(tempfile.mkdtemp())
    os.rmdir(tempfile.mkdtemp(prefix="ignored"))
    tempfile.mkdtemp(prefix="ignored")
    assert list(temporary.look()) == []
