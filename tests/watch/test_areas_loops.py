"""The event loop policy and the current loop: what tests leave, and what asyncio and plugins make for themselves."""

from __future__ import annotations

import asyncio
import sys
import types
import unittest
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.loops import EventLoops
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change, Held
from pytest_secaudit.watch.tapping import Taps

NONE = "none that is open"


def relative(path: str) -> str:
    return f"<site-packages>/{path.rpartition('/')[2]}" if "site-packages" in path else path


def new_area(taps: Taps) -> EventLoops:
    return EventLoops(taps, Stack(relative, lambda path: path == __file__))


@pytest.fixture
def area(monkeypatch: pytest.MonkeyPatch) -> Iterator[EventLoops]:
    monkeypatch.setattr(asyncio.events, "_event_loop_policy", None)
    taps = Taps()
    area = new_area(taps)
    assert not area.look()
    yield area
    taps.take_back()
    area.stop()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    asyncio.set_event_loop(None)
    loop.close()


def test_nothing_is_made_by_looking(area: EventLoops) -> None:
    assert not area.look()
    assert asyncio.events._event_loop_policy is None  # type: ignore[attr-defined]


def test_a_loop_that_is_left_open(area: EventLoops, loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    wrote = sys._getframe().f_lineno - 1
    (change,) = area.look()
    assert (change.subject, change.before, change.after) == ("the current asyncio event loop", NONE, Held(loop))
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert (area.said(change), area.code) == ("open", "PSA103")
    assert not area.look()
    asyncio.set_event_loop(None)
    (back,) = area.look()
    assert (back.subject, back.before, back.after) == (change.subject, change.after, NONE)
    assert not area.look()


def test_a_loop_that_is_closed_is_as_good_as_none(area: EventLoops, loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    (change,) = area.look()
    loop.close()
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, NONE)
    assert not area.look()
    asyncio.set_event_loop(asyncio.get_event_loop_policy().get_event_loop())
    assert not area.look()


def test_one_loop_over_another_and_back(area: EventLoops, loop: asyncio.AbstractEventLoop) -> None:
    other = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    (first,) = area.look()
    asyncio.get_event_loop_policy().set_event_loop(other)
    (second,) = area.look()
    assert (second.before, second.after) == (first.after, Held(other))
    asyncio.set_event_loop(loop)
    (back,) = area.look()
    assert (back.before, back.after) == (second.after, first.after)
    other.close()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio makes none any more")
@pytest.mark.filterwarnings("ignore:There is no current event loop:DeprecationWarning")
def test_a_policy_and_a_loop_made_on_first_use_are_silent(area: EventLoops) -> None:
    loop = asyncio.get_event_loop_policy().get_event_loop()
    assert not area.look()
    asyncio.set_event_loop(None)
    loop.close()
    assert not area.look()


def test_what_runs_a_coroutine_is_silent(area: EventLoops) -> None:
    asyncio.run(asyncio.sleep(0))
    assert not area.look()

    class Case(unittest.IsolatedAsyncioTestCase):
        async def runTest(self) -> None:  # noqa: N802
            await asyncio.sleep(0)

        async def asyncSetUp(self) -> None:
            await asyncio.sleep(0)

    assert Case().run() is not None
    assert not area.look()


def test_a_plugins_loop_is_its_own(area: EventLoops, loop: asyncio.AbstractEventLoop) -> None:
    plugin = types.ModuleType("plugin")
    text = "import asyncio\ndef use(loop): asyncio.set_event_loop(loop)"
    exec(compile(text, "/site-packages/plugin.py", "exec"), vars(plugin))
    plugin.use(loop)
    assert not area.look()


def test_a_policy_of_another_kind(area: EventLoops, monkeypatch: pytest.MonkeyPatch) -> None:
    default = asyncio.get_event_loop_policy()

    class Policy(type(default)): ...  # type: ignore[misc]

    assert not area.look()
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.events, "_event_loop_policy", Policy())
        (change,) = area.look()
        assert change == Change("the asyncio event loop policy", "asyncio's default", f"{__name__}.Policy")
        assert area.said(change) == f"at {__name__}.Policy (it was asyncio's default)"
        patch.setattr(asyncio.events, "_event_loop_policy", Policy())
        assert not area.look()
    assert area.look() == [Change(change.subject, change.after, change.before)]


def test_what_was_there_before_is_nobodys(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.events, "_event_loop_policy", None)
    asyncio.set_event_loop(loop)
    taps = Taps()
    area = new_area(taps)
    assert not area.look()
    assert not area.look()
    taps.take_back()


def test_asyncio_is_never_imported_by_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asyncio.events")
    assert not new_area(Taps()).look()
    assert "asyncio.events" not in sys.modules


def test_strangers_survive(area: EventLoops) -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    class Loop(Hostile): ...

    policy: Any = asyncio.get_event_loop_policy()
    with mock.patch.object(asyncio.events, "_event_loop_policy", Hostile()):  # `MonkeyPatch` of 8.4 asks its class
        assert [change.after for change in area.look()] == [f"{__name__}.Hostile"]
    area.look()
    policy._local._loop = Loop()
    assert not area.look()
    policy._local._loop = None
    assert not area.look()
