"""The working directory, also a deleted one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.cwd import DELETED, SUBJECT, Cwd
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)


@pytest.fixture
def area(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cwd]:
    monkeypatch.chdir(tmp_path)
    taps = Taps()
    area = Cwd(taps, STACK)
    assert not area.look()
    assert not area.look()
    yield area
    taps.take_back()


def test_a_change_and_the_way_back(area: Cwd, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    os.chdir("sub")
    wrote = sys._getframe().f_lineno - 1
    (change,) = area.look()
    old, new = str(tmp_path), str(tmp_path / "sub")
    assert (change.subject, change.before, change.after) == (SUBJECT, old, new)
    assert area.said(change) == f"at {new} (it was {old})"
    assert area.fix(change).startswith("monkeypatch.chdir")
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert not area.look()
    os.chdir("..")
    (back,) = area.look()
    assert (back.before, back.after) == (new, old)
    assert not area.look()


def test_there_and_back_between_two_looks(area: Cwd, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        stack.callback(os.chdir, tmp_path)
        os.chdir("/")
    os.chdir(".")
    assert not area.look()


def test_a_folder_of_whose_name_a_part_is_secret(area: Cwd, tmp_path: Path) -> None:
    folder = tmp_path / ("ghp_" + "a1B2" * 9)
    folder.mkdir()
    os.chdir(folder)
    (change,) = area.look()
    assert "ghp_a1B2a1B2" not in area.said(change)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete a folder that somebody stands in")
def test_a_deleted_folder(area: Cwd, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    os.chdir("sub")
    (tmp_path / "sub").rmdir()
    (change,) = area.look()
    assert change.after == DELETED
    assert area.said(change) == f"at <deleted> (it was {tmp_path})"
    assert not area.look()
    assert not area.look_closely()
    os.chdir(tmp_path)
    assert [c.after for c in area.look()] == [str(tmp_path)]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete a folder that somebody stands in")
def test_a_folder_deleted_under_the_process_is_found_on_close_inspection(area: Cwd, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    os.chdir("sub")
    assert area.look()
    (tmp_path / "sub").rmdir()
    assert not area.look()
    assert [c.after for c in area.look_closely()] == [DELETED]
    os.chdir(tmp_path)
    assert area.look()


@pytest.mark.skipif(not hasattr(os, "fchdir"), reason="POSIX")
def test_fchdir(area: Cwd, tmp_path: Path) -> None:
    descriptor = os.open("/", os.O_RDONLY)
    try:
        os.fchdir(descriptor)
    finally:
        os.close(descriptor)
    (change,) = area.look()
    assert change.after == "/"
    assert change.site is not None


def test_a_chdir_that_was_taken_before_is_found_on_close_inspection(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    chdir, taps = getattr(os.chdir, "__wrapped__", os.chdir), Taps()
    area = Cwd(taps, STACK)
    assert not area.look()
    chdir("/")
    assert not area.look()
    assert len(list(area.look_closely())) == 1
    taps.take_back()


def test_os_that_is_mocked_while_we_look(area: Cwd) -> None:
    with mock.patch("os.getcwd", side_effect=RuntimeError), mock.patch("os.chdir"):
        os.chdir("/nowhere")
        assert not area.look_closely()


def test_a_failing_chdir_is_no_change(area: Cwd) -> None:
    with pytest.raises(FileNotFoundError):
        os.chdir("nowhere")
    with pytest.raises(TypeError):
        os.chdir()  # type: ignore[call-arg]
    assert not area.look()


def test_our_trouble_is_not_the_users(area: Cwd) -> None:
    with mock.patch.object(Stack, "site", side_effect=RuntimeError):
        os.chdir("/")
    (change,) = area.look()
    assert change.site is None


def test_it_looks_each_time_where_there_is_nothing_to_listen_to(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with mock.patch("os.chdir"):
        taps = Taps()
        area = Cwd(taps, STACK)
    assert not area.look()
    os.chdir("/")
    assert list(area.look()) == [Change(SUBJECT, str(tmp_path), os.getcwd())]
    taps.take_back()
