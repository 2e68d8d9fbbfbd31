"""Trace and profile functions."""

from __future__ import annotations

import bdb
import cProfile
import sys
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from pytest_secaudit.watch.areas.tracing import Tracing
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps


def follow(frame: FrameType, event: str, arg: object) -> None:
    return None


class Hostile:
    def __call__(self, *args: Any) -> None:
        return None

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


class Debugger(bdb.Bdb):
    """A user's own."""

    def trace_dispatch(self, frame: FrameType, event: str, arg: object) -> Any:
        return None


@pytest.fixture
def area() -> Iterator[Tracing]:
    trace, profile = sys.gettrace(), sys.getprofile()
    area = Tracing(Taps(), Stack(str, str.isdigit))
    assert not area.look()
    assert not area.look()
    yield area
    sys.settrace(trace)
    sys.setprofile(profile)


def test_a_trace_function_that_is_left_and_one_that_is_put_back(area: Tracing) -> None:
    trace = sys.gettrace()
    sys.settrace(follow)
    (change,) = area.look()
    sys.settrace(trace)
    assert (change.subject, area.said(change)) == ("sys.settrace", f"with {__name__}.follow")
    assert area.fix(change) == "sys.settrace(saved) in a finally; saved = sys.gettrace()"
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)
    assert area.said(back) == f"without a function (it had {__name__}.follow)"
    assert not area.look()


def test_a_profile_function(area: Tracing) -> None:
    sys.setprofile(follow)
    changes = list(area.look())
    sys.setprofile(None)
    assert [change.subject for change in changes] == ["sys.setprofile"]
    assert len(list(area.look())) == 1


def test_hostile_functions(area: Tracing) -> None:
    sys.setprofile(Hostile())
    changes = list(area.look())
    sys.setprofile(None)
    assert [area.said(change) for change in changes] == ["with a Hostile"]


@pytest.mark.parametrize("cls", [bdb.Bdb, Debugger])
def test_debuggers_are_silent(area: Tracing, cls: type[bdb.Bdb]) -> None:
    trace = sys.gettrace()
    debugger = cls()
    debugger.reset()
    sys.settrace(debugger.trace_dispatch)
    changes = list(area.look())
    sys.settrace(trace)
    assert not changes
    assert not area.look()


def test_profilers_of_the_standard_library_and_coverage_are_silent(area: Tracing) -> None:
    coverage = type("CTracer", (), {"__module__": "coverage", "__call__": lambda *args: None})
    sys.setprofile(coverage())
    changes = list(area.look())
    sys.setprofile(None)
    assert not changes
    profiler = cProfile.Profile()
    profiler.enable()
    changes = list(area.look())
    profiler.disable()
    assert not changes
    assert not area.look()


def looked_at(area: Tracing) -> weakref.ref[object]:
    """Somebody's profile function that is gone with this frame."""

    def follow(*_: object) -> None:
        """Follow nothing."""

    before = sys.getprofile()
    sys.setprofile(follow)
    area.look()
    sys.setprofile(before)
    return weakref.ref(follow)


def test_nothing_is_held_when_it_is_over(area: Tracing) -> None:
    kept = looked_at(area)
    assert kept() is not None
    area.stop()
    assert kept() is None
