"""Signal handlers and the timer."""

from __future__ import annotations

import asyncio
import functools
import signal
import sys
import types
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.signals import TIMER, Signals
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)
posix = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="POSIX")


class Hostile:
    def __call__(self, *args: object) -> None:
        return None

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError


def handler(number: int, frame: object) -> None:
    """Does nothing."""


def from_module(name: str) -> Any:
    """A handler that comes from this module."""
    return types.FunctionType(handler.__code__, {"__name__": name})


@pytest.fixture
def area() -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    taps = Taps()
    area = Signals(taps, STACK)
    assert not area.off
    assert not area.look()
    assert not area.look()
    assert not area.look_closely()
    yield area
    taps.take_back()
    for number, old in before.items():
        signal.signal(number, old)


def test_a_handler_that_is_left_and_one_that_is_put_back(area: Signals) -> None:
    old = signal.signal(signal.SIGTERM, handler)
    wrote = sys._getframe().f_lineno - 1
    (change,) = area.look()
    assert change.subject == "signal SIGTERM"
    assert area.said(change) == f"handled by {__name__}.handler (it was set to its default)"
    assert area.fix(change) == "signal.signal(signal.SIGTERM, saved) in a finally"
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert not area.look()
    assert not area.look_closely()
    signal.signal(signal.SIGTERM, old)
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)
    assert not area.look()


def test_another_handler_of_the_same_name_is_said_to_be_another(area: Signals) -> None:
    class Server:
        def stop(self, number: int, frame: object) -> None: ...

    signal.signal(signal.SIGTERM, Server().stop)
    assert len(list(area.look())) == 1
    signal.signal(signal.SIGTERM, Server().stop)
    (change,) = area.look()
    said = area.said(change)
    assert said.startswith("handled by ")
    assert said.endswith("Server.stop, another one than before")


def test_put_back_between_two_looks(area: Signals) -> None:
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGINT, old)
    assert not area.look()


def test_signals_are_told_apart(area: Signals) -> None:
    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    found = {change.subject: area.said(change) for change in area.look()}
    assert set(found) == {"signal SIGTERM", "signal SIGINT"}
    assert found["signal SIGINT"].startswith("ignored (it was ")


def test_hostile_handlers(area: Signals) -> None:
    inner, fake = sys.modules["_signal"].signal, mock.MagicMock()  # `signal.signal` itself compares what it gives back
    inner(signal.SIGTERM, Hostile())
    assert len(list(area.look())) == 1
    inner(signal.SIGTERM, fake)
    assert len(list(area.look())) == 1
    assert not area.look_closely()
    inner(signal.SIGTERM, int(signal.SIG_DFL))
    assert len(list(area.look())) == 1
    assert fake.mock_calls == []


def test_wrong_calls_fail_as_ever(area: Signals) -> None:
    with pytest.raises(ValueError, match="signal"):
        signal.signal(10_000, handler)
    with pytest.raises(TypeError):
        signal.signal(signal.SIGTERM, "x")  # type: ignore[arg-type]
    assert not area.look()


@pytest.mark.parametrize("module", ["pytest_timeout", "asyncio.unix_events", "_pytest.x"])
def test_handlers_of_tools_are_silent(area: Signals, module: str) -> None:
    old = signal.signal(signal.SIGTERM, from_module(module))
    assert not area.look()
    assert not area.look_closely()
    signal.signal(signal.SIGTERM, old)
    assert not area.look()


def test_a_users_handler_under_that_of_a_tool(area: Signals) -> None:
    old = signal.signal(signal.SIGTERM, from_module("pytest_timeout"))
    assert not area.look()
    signal.signal(signal.SIGTERM, handler)
    (change,) = area.look()
    signal.signal(signal.SIGTERM, old)
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)


@posix
def test_the_handlers_of_a_running_loop_are_silent(area: Signals) -> None:
    async def run() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)
        assert not area.look()

    asyncio.run(run())
    assert not area.look()
    assert not area.look_closely()


def test_the_handler_of_a_loop_that_runs_when_we_come_is_its_own() -> None:
    """A block may begin while an asyncio.Runner runs, and end when it does not."""
    before = signal.getsignal(signal.SIGINT)
    taps = Taps()
    try:
        signal.signal(signal.SIGINT, functools.partial(from_module("asyncio.runners"), None))
        area = Signals(taps, STACK)
        assert not area.look()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        assert not area.look()
        signal.signal(signal.SIGINT, handler)
        assert [area.said(change) for change in area.look()] == [
            f"handled by {__name__}.handler (it was handled by signal.default_int_handler)"
        ]
    finally:
        taps.take_back()
        signal.signal(signal.SIGINT, before)


def test_what_was_set_past_us_is_found_on_close_inspection(area: Signals) -> None:
    unheard = sys.modules["_signal"].signal.__wrapped__
    unheard(signal.SIGTERM, Hostile())
    assert not area.look()
    assert len(list(area.look_closely())) == 1
    unheard(signal.SIGTERM, handler)
    assert len(list(area.look_closely())) == 1


@posix
def test_a_signal_without_a_name(area: Signals) -> None:
    number = signal.SIGRTMIN + 3 if hasattr(signal, "SIGRTMIN") else signal.SIGUSR1
    old = signal.signal(number, handler)
    changes = list(area.look())
    signal.signal(number, old)
    assert len(changes) == 1
    assert len(list(area.look())) == 1


@posix
@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (lambda: signal.alarm(100), lambda: signal.alarm(0)),
        (lambda: signal.setitimer(signal.ITIMER_REAL, 100), lambda: signal.setitimer(signal.ITIMER_REAL, 0)),
    ],
    ids=["alarm", "setitimer"],
)
def test_a_timer_that_is_left_running(area: Signals, start: Any, stop: Any) -> None:
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        pytest.skip("the run itself is timed")
    start()
    changes = list(area.look())
    again = list(area.look())
    stop()
    (change,) = changes
    assert not again
    assert (change.subject, change.before, change.after) == (TIMER, False, True)
    assert area.said(change) == "running: SIGALRM will come in a later test"
    assert "alarm(0)" in area.fix(change)
    assert change.site is not None
    (back,) = area.look()
    assert (back.before, back.after) == (True, False)
    assert not area.look()
    start()
    stop()
    assert not area.look()


@posix
def test_a_timer_of_pytest_timeout_is_silent(area: Signals) -> None:
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        pytest.skip("the run itself is timed")
    names = {"__name__": "pytest_timeout", "signal": signal}
    exec("def start(): signal.setitimer(signal.ITIMER_REAL, 100)", names)
    names["start"]()  # type: ignore[operator]
    changes = list(area.look())
    closely = list(area.look_closely())
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert not changes
    assert not closely


@posix
def test_a_timer_that_runs_out(area: Signals) -> None:
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        pytest.skip("the run itself is timed")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        assert [change.after for change in area.look()] == [True]
        signal.sigwait({signal.SIGALRM})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert [change.after for change in area.look()] == [False]


def test_nothing_is_held_when_it_is_over(area: Signals) -> None:
    area.stop()
    assert not any((area._raw, area._seen))
