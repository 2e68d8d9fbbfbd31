"""Warning filters, for runs in which pytest does not reset them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator

import pytest

from pytest_secaudit.watch.areas.filters import Filters
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)


@pytest.fixture
def area() -> Iterator[Filters]:
    taps = Taps()
    with warnings.catch_warnings():
        area = Filters(taps, STACK, reset_by_pytest=False)
        assert not area.look()
        assert not area.look()
        yield area
    taps.take_back()


def test_off_where_pytest_resets_them() -> None:
    assert Filters(Taps(), STACK).off == "pytest resets them after every test"
    taps = Taps()
    assert Filters(taps, STACK, reset_by_pytest=False).off == ""
    taps.take_back()


def test_a_filter_that_is_left_and_one_that_is_put_back(area: Filters) -> None:
    warnings.filterwarnings("ignore", "secaudit .*", ResourceWarning, "some.module", 7)
    wrote = sys._getframe().f_lineno - 1
    (change,) = area.look()
    subject = r"warnings.filters['ignore:secaudit .*:ResourceWarning:some.module:7']"
    assert (change.subject, change.before, change.after) == (subject, ABSENT, "set")
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert (area.said(change), area.code) == ("set", "PSA103")
    del warnings.filters[0]
    assert area.look() == [Change(subject, "set", ABSENT)]
    assert not area.look()


def test_filters_are_told_apart(area: Filters) -> None:
    warnings.resetwarnings()
    removed = area.look()
    assert {area.said(change) for change in removed} == {"removed"}
    warnings.simplefilter("always", PendingDeprecationWarning)
    assert [change.subject for change in area.look()] == ["warnings.filters['always::PendingDeprecationWarning']"]


def test_catch_warnings_puts_all_back(area: Filters) -> None:
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        with pytest.warns(UserWarning, match="x"):
            warnings.warn("x", stacklevel=1)
    assert not area.look()


def test_the_order_and_a_filter_made_anew_are_no_change(area: Filters) -> None:
    warnings.simplefilter("always", UnicodeWarning)
    area.look()
    warnings.filters.append(warnings.filters.pop(0))  # type: ignore[attr-defined]
    assert not area.look()
    warnings.filters[-1] = ("always", None, UnicodeWarning, None, 0)  # type: ignore[index]
    assert not area.look()


def test_who_shows_warnings(area: Filters, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(warnings, "showwarning", print)
        (change,) = area.look()
    assert (change.subject, area.said(change)) == ("warnings.showwarning", "replaced")
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)


def test_odd_filters_survive(area: Filters, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hostile:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    odd = [Hostile(), ("ignore", Hostile(), UserWarning, None, 0)]
    with monkeypatch.context() as patch:
        patch.setattr(warnings, "filters", odd)
        subjects = [change.subject for change in area.look()]
        assert "warnings.filters['a Hostile']" in subjects
        assert "warnings.filters['ignore:Hostile:UserWarning']" in subjects
        patch.setattr(warnings, "filters", None)
        assert not area.look()
    area.look()
