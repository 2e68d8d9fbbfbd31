"""Files and sockets that are left open; what a library keeps and what only waits to be collected is not."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
import selectors
import socket
import sqlite3
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_secaudit.watch.areas import descriptors
from pytest_secaudit.watch.areas.descriptors import Descriptors
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="not on this platform")
KEPT: list[object] = []


class Keeper:
    """What the project writes: in a class of its own."""

    shared: object = None
    __slots__ = ("inner",)


@pytest.fixture
def taps() -> Iterator[Taps]:
    made = Taps()
    yield made
    made.take_back()


@pytest.fixture
def area(taps: Taps) -> Iterator[Descriptors]:
    area = Descriptors(
        taps,
        Stack(str, str.isdigit),
        is_project=lambda module: module.__name__ == __name__,
        relative=os.path.basename,
    )
    assert area.off == ""
    assert not area.look()
    assert not area.look()
    assert not area.look_closely()
    yield area
    area.stop()
    KEPT.clear()
    Keeper.shared = None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data.txt"
    path.write_text("x")
    return path


def changes(area: Descriptors) -> list[Change]:
    return [*area.look(), *area.look_closely()]


def test_a_file_that_is_left_open_and_its_end(area: Descriptors, path: Path) -> None:
    with path.open() as file:
        KEPT.append(file)
        (change,) = changes(area)
        assert (change.subject, change.before, change.after) == ("data.txt", ABSENT, "open")
        assert (area.said(change), area.code) == ("open", "PSA604")
        assert area.is_lasting(change)
        assert not changes(area)
    assert not area.is_lasting(change)
    assert changes(area) == [Change(change.subject, change.after, change.before, key=change.key)]
    assert not changes(area)


def test_a_temporary_file_is_named_by_its_folder(taps: Taps) -> None:
    area = Descriptors(
        taps,
        Stack(str, str.isdigit),
        is_project=lambda module: False,
        relative=lambda path: os.path.relpath(path, "/srv"),
    )
    assert not changes(area)
    number, path = tempfile.mkstemp(prefix="shop", suffix="cart")
    (change,) = changes(area)
    assert change.subject == f"<tmp>/{os.path.relpath(path, tempfile.gettempdir())}"
    os.close(number)
    os.unlink(path)


def test_a_quick_look_hears_of_what_listens_and_leaves_the_rest_for_a_closer_one(taps: Taps, path: Path) -> None:
    stack = Stack(os.path.basename, lambda path: path == __file__)
    area = Descriptors(taps, stack, is_project=lambda module: module.__name__ == __name__)
    assert not changes(area)
    with path.open(), socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        assert [os.path.basename(change.subject) for change in changes(area)] == ["data.txt"]
        with socket.socket() as gone:
            gone.listen()
        late.listen()
        (change,) = area.look()
        assert change.subject == f"listening socket on 127.0.0.1:{late.getsockname()[1]}"
        assert change.site is not None
        assert change.site.edit is not None
        assert change.site.edit.path == os.path.basename(__file__)
        assert area.is_lasting(change)
        with path.open():
            assert not area.look()
            assert [os.path.basename(change.subject) for change in area.look_closely()] == ["data.txt"]
    assert {change.after for change in changes(area)} == {ABSENT}


def test_a_listening_socket_with_its_address(area: Descriptors) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (change,) = changes(area)
        assert change.subject == f"listening socket on 127.0.0.1:{port}"
        assert area.is_lasting(change)
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0]:
            found = changes(area)
            assert [change.subject for change in found] == ["socket", "socket"]
            assert not any(map(area.is_lasting, found))
            KEPT.append(client)
            area.look_closely()
            assert [area.is_lasting(change) for change in found] == [True, False]
    assert [change.after for change in changes(area)] == [ABSENT] * 3


def test_a_socket_of_the_sixth_version_and_a_local_one(area: Descriptors, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s"))
        server.listen()
        (change,) = changes(area)
        assert change.subject == "listening socket on s"
    assert len(changes(area)) == 1
    if socket.has_ipv6:
        with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
            (change,) = changes(area)
            assert change.subject == f"listening socket on [::1]:{server.getsockname()[1]}"


def test_what_is_behind_a_hole_is_seen_closely(area: Descriptors, path: Path) -> None:
    other = os.open(path, os.O_RDONLY)
    number = os.open(path, os.O_RDONLY)
    os.close(other)
    assert not area.look()
    (change,) = area.look_closely()
    os.close(number)
    assert not area.look()
    assert [gone.key for gone in area.look_closely()] == [change.key]


def test_a_mere_number_is_nobodys_to_close(area: Descriptors, tmp_path: Path) -> None:
    number, name = tempfile.mkstemp(dir=tmp_path)
    (change,) = changes(area)
    assert change.subject == os.path.basename(name)
    assert area.is_lasting(change)
    os.close(number)
    changes(area)


def test_what_a_thread_closes_while_we_look_was_no_mere_number(
    area: Descriptors, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = os.open(path, os.O_RDONLY)
    (change,) = changes(area)

    def closed_meanwhile() -> frozenset[int]:
        os.close(number)
        return frozenset()

    monkeypatch.setattr(area._holders, "of_anybody", closed_meanwhile)
    assert not area.is_lasting(change)
    changes(area)


def test_ways_to_hold_a_file(area: Descriptors, path: Path) -> None:
    keeper = Keeper()
    keeper.inner = path.open()
    deep = {"a": [functools.partial(print, keeper)]}

    def closure() -> object:
        return file

    file = path.open("rb")
    stack = contextlib.ExitStack()
    stack.enter_context(path.open())
    named = tempfile.NamedTemporaryFile(dir=path.parent)  # noqa: SIM115
    Keeper.shared = (named, stack)
    KEPT.extend((deep, closure))
    found = changes(area)
    assert [area.is_lasting(change) for change in found] == [True] * 4
    for one in (keeper.inner, file, stack, named):
        one.close()
    assert len(changes(area)) == 4


# --- noise


def test_what_only_waits_to_be_collected_is_silent(area: Descriptors, path: Path) -> None:
    class Cycle: ...

    one = Cycle()
    one.file, one.itself = path.open(), one  # type: ignore[attr-defined]
    del one
    (change,) = changes(area)
    assert not area.is_lasting(change)
    with pytest.warns(ResourceWarning):
        gc.collect()
    assert len(changes(area)) == 1


def test_what_a_library_keeps_is_silent(area: Descriptors, path: Path) -> None:
    class Pool: ...

    Pool.__module__ = "urllib9"
    pool = Pool()
    pool.file = path.open()  # type: ignore[attr-defined]
    handler = logging.FileHandler(path)
    KEPT.extend((pool, handler))
    found = changes(area)
    assert len(found) == 2
    assert not any(map(area.is_lasting, found))
    pool.file.close()  # type: ignore[attr-defined]
    handler.close()
    changes(area)


def test_a_database_is_not_a_mere_number(area: Descriptors, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("create table t (x)")
    connection.commit()
    KEPT.append(connection)
    assert not any(map(area.is_lasting, changes(area)))
    connection.close()
    changes(area)


def test_the_journal_of_a_transaction_is_not_a_mere_number(area: Descriptors, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    connection.execute("create table t (x)")
    KEPT.append(connection)
    changes(area)
    connection.execute("begin")
    connection.execute("insert into t values (1)")
    (change,) = changes(area)
    assert change.subject == "shop.db-journal"
    assert not area.is_lasting(change)
    connection.close()
    changes(area)


def test_pairs_pipes_devices_selectors_and_folders_are_silent(area: Descriptors, tmp_path: Path) -> None:
    left, right = socket.socketpair()
    unbound = socket.socket()
    numbers = [*os.pipe(), os.open(os.devnull, os.O_RDONLY), os.open(tmp_path, os.O_RDONLY)]
    if hasattr(os, "memfd_create"):
        numbers.append(os.memfd_create("memory"))
    with left, right, unbound, selectors.DefaultSelector():
        assert not changes(area)
    for number in numbers:
        os.close(number)
    assert not changes(area)


def test_the_standard_streams_are_pointed_here_and_there(
    area: Descriptors, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with path.open("w") as file:
        saved = os.dup(1)
        changes(area)
        os.dup2(file.fileno(), 1)
        with path.with_name("other.txt").open("w"):
            assert [change.subject for change in changes(area)] == ["other.txt"]
        os.dup2(saved, 1)
        os.close(saved)
    changes(area)


def test_what_was_there_before_is_nobodys(taps: Taps, path: Path) -> None:
    with path.open():
        area = Descriptors(taps, Stack(str, str.isdigit), is_project=lambda _: True)
        assert not changes(area)
    assert not changes(area)


def test_who_removes_an_open_file_has_opened_nothing(taps: Taps, path: Path) -> None:
    with path.open():
        area = Descriptors(taps, Stack(str, str.isdigit), is_project=lambda module: True, relative=os.path.basename)
        assert not changes(area)
        path.unlink()
        with path.open("w") as another:
            (change,) = changes(area)
            assert change.subject == path.name
            assert change.key.startswith(f"{another.fileno()} ")
        path.unlink()
        (end,) = changes(area)
        assert (end.key, end.after) == (change.key, ABSENT)


def test_what_is_removed_is_as_open_as_before(area: Descriptors, path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    (change,) = changes(area)
    path.unlink()
    assert not changes(area)
    assert area.is_lasting(change)
    os.close(number)
    (end,) = changes(area)
    assert (end.key, end.after) == (change.key, ABSENT)


def test_a_number_that_is_used_again_is_another_thing(area: Descriptors, path: Path) -> None:
    other = path.with_name("other.txt")
    other.write_text("")
    number = os.open(path, os.O_RDONLY)
    (change,) = changes(area)
    os.close(number)
    assert os.open(other, os.O_RDONLY) == number
    assert not area.is_lasting(change)
    assert not area.look()
    with path.open():
        found = changes(area)
    assert [(one.subject, one.after) for one in found] == [
        ("data.txt", ABSENT), ("other.txt", "open"), ("data.txt", "open")
    ]  # fmt: skip
    assert found[0].key == change.key
    os.close(number)
    assert [one.after for one in changes(area)] == [ABSENT] * 2


# --- odd places


def test_where_the_system_does_not_count(
    area: Descriptors, taps: Taps, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "_is_counting", lambda folder: False)
    slow = Descriptors(taps, Stack(str, str.isdigit), is_project=lambda module: False)
    assert not changes(slow)
    with path.open():
        assert len(changes(slow)) == 1
    assert len(changes(slow)) == 1


def test_no_descriptor_left_to_look_with(area: Descriptors, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> object:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(descriptors, "_dup", none)
        patch.setattr(descriptors.real, "listdir", none)
        patch.setattr(descriptors.real, "stat", none)
        assert not changes(area)
    assert not changes(area)


def test_time_to_look_for_holders_is_limited(area: Descriptors, path: Path) -> None:
    with path.open() as file:
        KEPT.append(file)
        (change,) = changes(area)
        area._holders._left = 0
        assert not area.is_lasting(change)
    changes(area)


def test_hostile_objects_in_the_project_survive(area: Descriptors, path: Path) -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    class Meta(type):
        def __getattribute__(cls, name: str) -> object:
            raise RuntimeError(name)

    KEPT.extend((Hostile(), Meta("Made", (), {}), types.SimpleNamespace(), iter(())))
    with path.open() as file:
        KEPT.append(file)
        (change,) = changes(area)
        assert area.is_lasting(change)
    changes(area)


@pytest.mark.parametrize("name", ["proc", "fstat"])
def test_by_fstat_where_there_is_no_proc(name: str, path: Path) -> None:
    folder = "/proc/self/fd" if name == "proc" else "/dev/fd"
    with path.open() as file, socket.socket() as unbound:
        assert descriptors._target(folder, unbound.fileno()).startswith("socket:[")
        assert descriptors._target(folder, file.fileno()) in (str(path), f"file:[{path.stat().st_ino}]")
    assert descriptors._target(folder, 9999) == ""
