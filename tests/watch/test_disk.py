"""Files that tests leave: in the project, told by the clock of the file system, and in the folder for temporary ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_secaudit.watch import real
from pytest_secaudit.watch.departures import TICK
from pytest_secaudit.watch.disk.elsewhere import Elsewhere
from pytest_secaudit.watch.disk.files import Files
from pytest_secaudit.watch.disk.listing import listing
from pytest_secaudit.watch.disk.temporary import TemporaryPaths
from pytest_secaudit.watch.engine import Engine
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
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


# --- outside the project


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """With a home and a folder for temporary files of its own."""
    for name, variable in (("home", "HOME"), ("home", "USERPROFILE"), ("temp", "TMPDIR"), ("root", "ROOT")):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.setenv(variable, str(tmp_path / name))
    return Elsewhere(Taps(), Stack(str, bool), root=str(tmp_path / "root"))


def elsewhere_told(area: Elsewhere) -> list[tuple[str, str, str, bool]]:
    changes = sorted((change for _, change in area.look_late()), key=lambda change: change.subject)
    return [(one.subject, area.said(one), area.level(one), area.is_lasting(one)) for one in changes]


def test_the_folder_of_a_shared_fixture(tmp_path: Path, elsewhere: Elsewhere) -> None:
    folder = tmp_path / "temp" / "user"
    (folder / "made").mkdir(parents=True)
    (folder / "made" / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")
    elsewhere.begin()
    elsewhere.begin_folder(1, "user_dir", folder)
    (folder / "new").mkdir()
    (folder / "made" / "a.txt").write_text("changed")
    (folder / "b.txt").unlink()
    assert elsewhere_told(elsewhere) == [
        ("user_dir/b.txt", "removed, a file of a shared fixture", "", True),
        ("user_dir/made/a.txt", "changed, a file of a shared fixture", "", True),
        ("user_dir/new", "behind, a folder in the folder of a shared fixture", "info", True),
    ]
    assert elsewhere_told(elsewhere) == []
    elsewhere.end_folder(1)
    shutil.rmtree(folder)
    assert [found for found in elsewhere_told(elsewhere) if found[0].startswith("user_dir")] == []


def test_a_public_folder_tells_what_the_owner_names(tmp_path: Path, elsewhere: Elsewhere) -> None:
    (tmp_path / "temp" / "there.txt").write_text("x")
    elsewhere.begin()
    (tmp_path / "home" / ".tool").write_text("x")
    (tmp_path / "temp" / "out.txt").write_text("x")
    (tmp_path / "temp" / "there.txt").write_text("another program's")
    (tmp_path / "temp" / "pytest-of-me").mkdir()
    temp = (tmp_path / "temp").as_posix()
    assert elsewhere_told(elsewhere) == [
        (f"{temp}/out.txt", "behind, a file", "", False),
        ("~/.tool", "behind, a file", "", False),
    ]
    source = 'def test_it():\n    open(home / ".tool", "w").close()\n'
    assert elsewhere.writing_lines(source, 1, Change("~/.tool", ABSENT, "file", key="public:~/.tool")) == {2}


@pytest.mark.parametrize("value", [None, 5, "relative", "\0", Path("/no/such/folder"), object(), b"/tmp"])
def test_what_is_no_folder(elsewhere: Elsewhere, value: object) -> None:
    elsewhere.begin()
    elsewhere.begin_folder(1, "it", value)
    assert not elsewhere.has(1)


@pytest.mark.parametrize("name", ["", "pytest-of-me", "pytest-of-me/pytest-3"])
def test_folders_of_everybody_are_no_fixtures(tmp_path: Path, elsewhere: Elsewhere, name: str) -> None:
    folder = tmp_path / "temp" / name
    folder.mkdir(parents=True, exist_ok=True)
    elsewhere.begin()
    elsewhere.begin_folder(1, "it", str(folder))
    assert not elsewhere.has(1)


def test_what_is_too_large_is_said(tmp_path: Path, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_secaudit.watch.disk.elsewhere._MOST", 1)
    folder = tmp_path / "temp" / "user"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_text("")
    elsewhere.begin_folder(1, "user_dir", folder)
    assert (elsewhere.has(1), elsewhere.remark) == (False, "not user_dir: too large")
