"""Limits of the system."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.limits import Limits
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

resource = pytest.importorskip("resource")
STACK = Stack(str, lambda path: path == __file__)
WHICH = resource.RLIMIT_CORE


@pytest.fixture
def area() -> Iterator[Limits]:
    soft, hard = resource.getrlimit(WHICH)
    if hard == 0:
        pytest.skip("no core files here")
    taps = Taps()
    area = Limits(taps, STACK)
    assert not area.look()
    yield area
    taps.take_back()
    resource.setrlimit(WHICH, (soft, hard))


def test_a_limit_that_is_left_and_one_that_is_put_back(area: Limits) -> None:
    old = resource.getrlimit(WHICH)
    new = (4096 if old[0] != 4096 else 8192, old[1])
    resource.setrlimit(WHICH, new)
    wrote = sys._getframe().f_lineno - 1
    (change,) = area.look()
    assert (change.subject, change.before, change.after) == ("the resource limit RLIMIT_CORE", old, new)
    assert area.said(change) == f"at {new} (it was {old})"
    assert area.fix(change) == "resource.setrlimit(resource.RLIMIT_CORE, saved) in a finally"
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert not area.look()
    resource.setrlimit(WHICH, old)
    (back,) = area.look()
    assert (back.before, back.after) == (new, old)


def test_put_back_between_two_looks(area: Limits) -> None:
    old = resource.getrlimit(WHICH)
    resource.setrlimit(WHICH, (4096, old[1]))
    resource.setrlimit(WHICH, old)
    assert not area.look()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux")
def test_prlimit(area: Limits) -> None:
    old = resource.prlimit(0, WHICH)
    resource.prlimit(0, WHICH, (4096 if old[0] != 4096 else 8192, old[1]))
    assert len(list(area.look())) == 1


def test_wrong_calls_fail_as_ever(area: Limits) -> None:
    for args in ((), (WHICH,), (WHICH, 1), (10_000, (1, 1)), ([], [])):
        with pytest.raises((TypeError, ValueError)):
            resource.setrlimit(*args)
    assert not area.look()


def test_off_where_there_is_no_such_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    area = Limits(Taps(), STACK)
    assert area.off == "not on this platform"
    assert not area.look()


def test_our_trouble_is_not_the_users(area: Limits) -> None:
    old = resource.getrlimit(WHICH)
    with mock.patch.object(Stack, "site", side_effect=RuntimeError):
        resource.setrlimit(WHICH, old)
    assert not area.look()
