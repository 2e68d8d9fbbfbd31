"""The umask, followed through `os.umask`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.umask import SUBJECT, Umask
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)


@pytest.fixture
def area() -> Iterator[Umask]:
    before = os.umask(0o022)
    taps = Taps()
    area = Umask(taps, STACK)
    assert not area.off
    assert not area.look()
    yield area
    taps.take_back()
    os.umask(before)


def test_a_mask_that_is_left_and_one_that_is_put_back(area: Umask) -> None:
    old = os.umask(0o077)
    wrote = sys._getframe().f_lineno - 1
    assert old == 0o022
    (change,) = area.look()
    assert (change.subject, change.before, change.after) == (SUBJECT, 0o022, 0o077)
    assert area.said(change) == "at 0o077 (it was 0o022)"
    assert "fixture" in area.fix(change)
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert not area.look()
    os.umask(old)
    (back,) = area.look()
    assert (back.before, back.after) == (0o077, 0o022)
    assert not area.look()


def test_to_ask_is_no_change(area: Umask) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert not area.look()
    os.umask(mask)
    assert not area.look()


def test_what_was_set_before_the_first_look_is_where_it_starts() -> None:
    taps = Taps()
    area = Umask(taps, STACK)
    before = os.umask(0o077)
    try:
        assert not area.look()
        os.umask(0o027)
        assert [change.before for change in area.look()] == [0o077]
    finally:
        os.umask(before)
        taps.take_back()


def test_somebody_sets_it_without_us(area: Umask) -> None:
    unheard = os.umask.__wrapped__  # type: ignore[attr-defined]
    os.umask(0o077)
    (change,) = area.look()
    unheard(0o022)
    os.umask(0o022)
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)
    unheard(0o077)
    os.umask(0o022)
    assert not area.look()
    unheard(0o027)
    os.umask(os.umask(0))
    assert not area.look()
    assert not area.look()


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="only Linux tells the mask")
def test_before_a_claim_the_system_is_asked(area: Umask) -> None:
    unheard = os.umask.__wrapped__  # type: ignore[attr-defined]
    area.settle()
    os.umask(0o077)
    assert area.look()
    area.settle()
    assert not area.look()
    unheard(0o022)
    area.settle()
    (back,) = area.look()
    assert back.after == 0o022


def test_where_the_system_does_not_tell(area: Umask) -> None:
    os.umask(0o077)
    with mock.patch("pytest_secaudit.watch.areas.umask._STATUS", "/nowhere"):
        area.settle()
    assert [change.after for change in area.look()] == [0o077]
    with mock.patch("pytest_secaudit.watch.areas.umask._STATUS", __file__):
        area.settle()
    assert not area.look()


def test_odd_calls(area: Umask) -> None:
    with pytest.raises(TypeError):
        os.umask("x")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        os.umask()  # type: ignore[call-arg]
    os.umask(0o1022)
    assert not area.look()


def test_off_where_it_cannot_be_heard() -> None:
    with mock.patch("os.umask"):
        assert Umask(Taps(), STACK).off
