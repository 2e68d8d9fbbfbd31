"""The time zone that `time.tzset` takes over."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.timezone import SUBJECT, TimeZone
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)
pytestmark = pytest.mark.skipif(not hasattr(time, "tzset"), reason="POSIX")


@pytest.fixture
def area() -> Iterator[TimeZone]:
    with mock.patch.dict(os.environ, {"TZ": "UTC0"}):
        time.tzset()
        taps = Taps()
        area = TimeZone(taps, STACK)
        assert not area.look()
        assert not area.look()
        yield area
        taps.take_back()
    time.tzset()


def test_a_zone_that_is_left_and_one_that_is_put_back(area: TimeZone, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        assert not area.look()
        time.tzset()
        wrote = sys._getframe().f_lineno - 1
        (change,) = area.look()
        assert (change.subject, area.said(change)) == (SUBJECT, "at JST (+9 h) (it was UTC)")
        assert change.site is not None
        assert change.site.edit is not None
        assert change.site.edit.line == wrote
    assert not area.look()
    time.tzset()
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)
    assert "tzset" in area.fix(back)


def test_set_again_to_the_same_is_no_change(area: TimeZone) -> None:
    time.tzset()
    assert not area.look()
    time.strptime("2024", "%Y")
    assert not area.look_closely()


def test_zones_of_the_same_names(area: TimeZone) -> None:
    os.environ["TZ"] = "UTC3"
    time.tzset()
    (change,) = area.look()
    assert area.said(change) == "at UTC (-3 h) (it was UTC)"


def test_set_by_another_name_is_found_on_close_inspection(area: TimeZone) -> None:
    os.environ["TZ"] = "JST-9"
    time.tzset.__wrapped__()  # type: ignore[attr-defined]
    assert not area.look()
    assert len(list(area.look_closely())) == 1


def test_stand_ins(area: TimeZone, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(time, "timezone", mock.MagicMock())
        patch.setattr(time, "tzname", object())
        (change,) = area.look_closely()
        assert area.said(change) == "at a stand-in (it was UTC)"
        patch.delattr(time, "tzname")
        assert not area.look_closely()
    assert len(list(area.look_closely())) == 1


def test_off_where_it_cannot_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(time, "tzset")
        assert TimeZone(Taps(), STACK).off == "time.tzset is not on this platform"
