"""Streams, hooks, limits and switches of the interpreter."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import io
import multiprocessing
import multiprocessing.context
import os
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.interpreter import OWN, Interpreter
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps, original_of


class Hostile:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


def hook(*args: object) -> None:
    """Does nothing."""


def look(area: Any) -> list[Change]:
    """Quick and close at once."""
    return [*area.look(), *area.look_closely()] if hasattr(area, "look_closely") else list(area.look())


@pytest.fixture
def taps() -> Iterator[Taps]:
    taps = Taps()
    yield taps
    taps.take_back()


@pytest.fixture
def area(taps: Taps, monkeypatch: pytest.MonkeyPatch) -> Interpreter:
    monkeypatch.setattr(sys, "argv", ["prog", "--password", "hunter2"])
    area = Interpreter(taps, Stack(os.path.basename, lambda path: path == __file__))
    assert not area.off
    assert not look(area)
    assert not look(area)
    return area


def found(area: Interpreter) -> list[tuple[str, str]]:
    return [(change.subject, area.said(change)) for change in look(area)]


@contextlib.contextmanager
def given(set_it: Callable[[Any], object], value: Any, old: Any) -> Iterator[None]:
    set_it(value)
    try:
        yield
    finally:
        set_it(old)


def gc_switch(on: bool) -> None:
    (gc.enable if on else gc.disable)()


@pytest.mark.parametrize(
    ("subject", "set_it", "read", "value", "words"),
    [
        ("the recursion limit", sys.setrecursionlimit, sys.getrecursionlimit, 1777, "at 1777 (it was {})"),
        ("the switch interval", sys.setswitchinterval, sys.getswitchinterval, 0.5, "at 0.5 (it was {})"),
        ("the garbage collector", gc_switch, gc.isenabled, False, "off"),
        ("the default socket timeout", socket.setdefaulttimeout, socket.getdefaulttimeout, 1.5, "at 1.5 (it was {})"),
    ],
)
def test_a_setting_that_is_left_and_one_that_is_put_back(
    area: Interpreter, subject: str, set_it: Callable[[Any], None], read: Callable[[], Any], value: Any, words: str
) -> None:
    old = read()
    with given(set_it, value, old):
        changes = list(look(area))
        again = list(look(area))
    (change,) = changes
    assert (change.subject, change.before, change.after) == (subject, old, value)
    assert area.said(change) == words.format(old)
    assert "finally" in area.fix(change)
    assert not again
    (back,) = look(area)
    assert (back.before, back.after) == (value, old)
    assert not look(area)


@pytest.mark.parametrize(
    ("subject", "module", "name", "value", "old"),
    [
        ("the recursion limit", sys, "setrecursionlimit", 1777, sys.getrecursionlimit()),
        ("the switch interval", sys, "setswitchinterval", 0.5, sys.getswitchinterval()),
        ("the default socket timeout", socket, "setdefaulttimeout", 1.5, socket.getdefaulttimeout()),
    ],
)
def test_a_setting_is_heard_of(area: Interpreter, subject: str, module: Any, name: str, value: Any, old: Any) -> None:
    with given(getattr(module, name), value, old):
        (change,) = area.look()
        assert (change.subject, change.after) == (subject, value)
        assert change.site is not None
        assert change.site.edit is not None
        assert change.site.edit.path == os.path.basename(__file__)
        assert not look(area)
    assert [change.after for change in area.look()] == [old]


def test_the_collectors_switch_is_heard_of(area: Interpreter) -> None:
    assert gc.isenabled()
    with given(gc_switch, False, True):
        assert [change.after for change in area.look()] == [False]
    assert [change.after for change in area.look()] == [True]


def test_what_was_not_heard_of_waits_for_a_closer_look(
    area: Interpreter, taps: Taps, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = sys.getrecursionlimit()
    with given(original_of(sys.setrecursionlimit), old + 77, old):  # type: ignore[arg-type]
        monkeypatch.setattr(sys, "argv", ["other"])
        assert [change.subject for change in area.look()] == ["sys.argv"]
        assert not area.look()
        (change,) = area.look_closely()
        assert (change.subject, change.after, change.site) == ("the recursion limit", old + 77, None)
    assert len(look(area)) == 1


def test_the_thresholds_of_the_collector(area: Interpreter) -> None:
    old = gc.get_threshold()
    with given(lambda values: gc.set_threshold(*values), (old[0] + 1, *old[1:]), old):
        assert [subject for subject, _ in found(area)] == ["the thresholds of the garbage collector"]
    assert len(found(area)) == 1


def test_faulthandler(area: Interpreter) -> None:
    if not faulthandler.is_enabled():
        pytest.skip("it is off anyway")
    try:
        faulthandler.disable()
        changes = found(area)
    finally:
        faulthandler.enable(file=sys.__stderr__)
    assert changes == [("faulthandler", "off")]
    assert found(area) == [("faulthandler", "on")]


# --- the slots of sys


@pytest.mark.parametrize("name", ["stdout", "stderr", "stdin"])
def test_a_stream(area: Interpreter, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, name, io.StringIO())
        changes = list(look(area))
        again = list(look(area))
    (change,) = changes
    assert not again
    assert (change.subject, change.before) == (f"sys.{name}", OWN)
    assert area.said(change) == "at a StringIO (it was pytest's or its own)"
    assert area.fix(change)
    (back,) = look(area)
    assert (back.before, back.after) == (change.after, OWN)
    assert not look(area)


def test_streams_of_pytest_and_of_the_interpreter_are_the_same(
    area: Interpreter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        assert not look(area)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", sys.__stdout__)
        patch.setattr(sys, "stderr", sys.__stderr__)
        patch.setattr(sys, "stdin", sys.__stdin__)
        assert not look(area)
    assert not look(area)


def test_another_way_to_the_processs_own_streams_is_theirs(area: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a worker of pytest-xdist has."""
    with open(1, "w", closefd=False) as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert not look(area)
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
        assert [subject for subject, _ in found(area)] == ["sys.stdout"]
    assert len(found(area)) == 1


def test_redirected_output_is_put_back(area: Interpreter) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(None):
        pass
    assert not look(area)


@pytest.mark.parametrize("name", ["excepthook", "displayhook", "unraisablehook", "breakpointhook"])
def test_a_hook(area: Interpreter, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, name, hook)
        assert found(area) == [(f"sys.{name}", f"at {__name__}.hook (it was pytest's or its own)")]
        patch.setattr(sys, name, functools.partial(hook, 1))
        assert found(area) == [(f"sys.{name}", f"at a partial (it was {__name__}.hook)")]
        patch.setattr(sys, name, getattr(sys, f"__{name}__"))
        assert [area.said(change) for change in look(area)] == ["at its own again (it was a partial)"]
    assert not look(area)


def test_the_hook_of_threads(area: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading, "excepthook", hook)
        (change,) = look(area)
        assert change.subject == "threading.excepthook"
        assert area.fix(change) == 'monkeypatch.setattr(threading, "excepthook", ...)'
        patch.setattr(threading, "excepthook", threading.__excepthook__)
        (back,) = look(area)
        assert back.after == change.before
    assert not look(area)


def test_a_deleted_slot(area: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(sys, "displayhook")
        (change,) = look(area)
        assert (change.after, area.said(change)) == (ABSENT, "deleted")
        assert not look(area)
    (back,) = look(area)
    assert back.after == change.before


def test_plain_slots(area: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win64")
        assert found(area) == [("sys.platform", f"at 'win64' (it was {before()!r})")]
    assert len(found(area)) == 1


def before() -> str:
    import platform

    return {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}[platform.system()]


def test_hostile_objects(area: Interpreter) -> None:
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "__stderr__", "excepthook", "argv", "platform"):  # `MonkeyPatch` of 8.4 asks their class
            stack.enter_context(mock.patch.object(sys, name, Hostile()))
        changes = list(look(area))
        again = list(look(area))
    assert [change.subject for change in changes] == [
        "sys.stdout", "sys.excepthook", "sys.__stderr__", "sys.platform", "sys.argv",
    ]  # fmt: skip
    assert all("a Hostile" in area.said(change) for change in changes if change.subject != "sys.argv")
    assert not again
    assert [change.after for change in look(area)] == [change.before for change in changes]


def test_mocks_are_not_called(area: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = mock.MagicMock()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", fake)
        patch.setattr(sys, "argv", fake)
        assert len(list(look(area))) == 2
        assert not look(area)
    assert fake.mock_calls == []
    assert len(list(look(area))) == 2


def test_arguments(area: Interpreter) -> None:
    sys.argv.append("--x")
    (change,) = look(area)
    assert (change.subject, area.said(change)) == ("sys.argv", "changed")
    assert area.fix(change) == 'monkeypatch.setattr(sys, "argv", ...)'
    assert "hunter2" not in repr(change)
    del sys.argv[-1]
    (back,) = look(area)
    assert (back.before, back.after) == (change.after, change.before)
    sys.argv = list(sys.argv)
    assert not look(area)
    sys.argv.append(Hostile())  # type: ignore[arg-type]
    assert len(list(look(area))) == 1
    assert len(list(look(area))) == 1 or not look(area)
    del sys.argv[-1]


# --- what comes with a module


def test_the_opener(area: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(urllib.request, "_opener", None)
        assert not look(area)
        urllib.request.install_opener(urllib.request.build_opener(urllib.request.HTTPCookieProcessor()))
        changes = list(look(area))
        urllib.request.install_opener(mock.Mock())
        more = list(look(area))
    assert [change.subject for change in changes] == ["the opener of urllib.request"]
    assert area.said(changes[0]) == "at an OpenerDirector (it was None)"
    assert more[0].before == changes[0].after
    assert [change.after for change in look(area)] == [changes[0].before]


def test_the_opener_that_urlopen_makes_for_itself(area: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(urllib.request, "_opener", None)
        urllib.request.urlopen("data:,x").close()
        assert urllib.request._opener is not None
        assert not look(area)


def test_the_start_method(area: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.context._default_context
    usual = context._default_context._name
    other = next(name for name in multiprocessing.get_all_start_methods() if name != usual)
    with monkeypatch.context() as patch:
        patch.setattr(context, "_actual_context", None)
        assert not look(area)
        try:
            multiprocessing.set_start_method(other)
            (change,) = look(area)
            assert (change.subject, change.after) == ("the multiprocessing start method", other)
            assert "get_context" in area.fix(change)
            assert not look(area)
        finally:
            multiprocessing.set_start_method(usual, force=True)
        (back,) = look(area)
        assert back.after == change.before
    assert not look(area)


def test_the_first_use_of_multiprocessing_is_silent(area: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.context._default_context
    with monkeypatch.context() as patch:
        patch.setattr(context, "_actual_context", None)
        assert not look(area)
        assert multiprocessing.get_start_method()
        assert context._actual_context is not None
        assert not look(area)


def test_modules_that_are_not_imported_are_left_alone(taps: Taps, monkeypatch: pytest.MonkeyPatch) -> None:
    late = ("urllib.request", "multiprocessing.context", "_socket")
    saved = {name: sys.modules[name] for name in late}
    for name in late:
        monkeypatch.delitem(sys.modules, name)
    area = Interpreter(taps, Stack(str, str.isdigit))
    assert not look(area)
    assert not look(area)
    assert not set(late) & set(sys.modules)
    sys.modules.update(saved)
    assert not look(area)
    with given(socket.setdefaulttimeout, 2.5, socket.getdefaulttimeout()):
        assert [subject for subject, _ in found(area)] == ["the default socket timeout"]


def test_a_timeout_that_was_set_as_soon_as_socket_came(taps: Taps, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["_socket"]
    monkeypatch.delitem(sys.modules, "_socket")
    area = Interpreter(taps, Stack(str, str.isdigit))
    assert not look(area)
    with given(socket.setdefaulttimeout, 2.5, socket.getdefaulttimeout()):
        sys.modules["_socket"] = module
        assert found(area) == [("the default socket timeout", "at 2.5 (it was None)")]


def test_nothing_is_held_when_it_is_over(area: Interpreter) -> None:
    area.stop()
    assert not any((area._raw, area._seen))
