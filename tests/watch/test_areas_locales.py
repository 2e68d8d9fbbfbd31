"""The locale."""

from __future__ import annotations

import locale
import sys
from collections.abc import Iterator
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.locales import SUBJECT, Locale
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)


@pytest.fixture
def area() -> Iterator[Locale]:
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "C")
    taps = Taps()
    area = Locale(taps, STACK)
    assert not area.look()
    assert not area.look()
    yield area
    taps.take_back()
    locale.setlocale(locale.LC_ALL, before)


def other() -> str:
    """Another locale that this machine has."""
    current = locale.setlocale(locale.LC_ALL)
    for name in ("C.UTF-8", "C.utf8", "POSIX.UTF-8", "en_US.UTF-8", "de_DE.UTF-8", "English"):
        try:
            if locale.setlocale(locale.LC_ALL, name) != current:
                return name
        except locale.Error:
            continue
        finally:
            locale.setlocale(locale.LC_ALL, current)
    pytest.skip("the machine has one locale")


def test_a_locale_that_is_left_and_one_that_is_put_back(area: Locale) -> None:
    name = other()
    locale.setlocale(locale.LC_ALL, name)
    wrote = sys._getframe().f_lineno - 1
    (change,) = area.look()
    assert (change.subject, change.before) == (SUBJECT, "C")
    assert area.said(change) == f"at {change.after} (it was C)"
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert not area.look()
    locale.setlocale(locale.LC_ALL, "C")
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, "C")


def test_one_category(area: Locale) -> None:
    locale.setlocale(locale.LC_TIME, other())
    (change,) = area.look()
    assert area.said(change).startswith("with LC_TIME at ")
    assert area.said(change).endswith("(it was C)")
    assert "LC_NUMERIC" not in area.said(change)


def test_to_ask_is_no_change(area: Locale) -> None:
    locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_CTYPE, None)
    locale.getlocale()
    locale.localeconv()
    with pytest.raises(locale.Error):
        locale.setlocale(locale.LC_ALL, "no such locale")
    assert not area.look()
    locale.setlocale(locale.LC_ALL, "C")
    assert not area.look()


def test_what_a_library_in_c_set_is_found_on_close_inspection(area: Locale) -> None:
    unheard = locale._setlocale.__wrapped__
    name = other()
    assert not area.look()
    unheard(locale.LC_ALL, name)
    assert not area.look()
    assert len(list(area.look_closely())) == 1


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("C", "de_DE.UTF-8", "at de_DE.UTF-8 (it was C)"),
        ("LC_CTYPE=C;LC_TIME=C", "LC_CTYPE=C;LC_TIME=de", "with LC_TIME at de (it was C)"),
        ("C", "LC_CTYPE=C;LC_TIME=de", "with LC_TIME at de (it was C)"),
        ("LC_CTYPE=de;LC_TIME=C", "C", "with LC_CTYPE at C (it was de)"),
    ],
)
def test_what_is_said(area: Locale, before: str, after: str, said: str) -> None:
    assert area.said(Change(SUBJECT, before, after)) == said


def test_a_mocked_locale(area: Locale) -> None:
    with mock.patch("locale.setlocale"), mock.patch("locale._setlocale"):
        locale.setlocale(locale.LC_ALL, "xx")
        assert not area.look_closely()


def test_it_looks_each_time_where_there_is_nothing_to_listen_to() -> None:
    with mock.patch.object(locale, "_setlocale", mock.Mock(side_effect=locale.Error)):
        area = Locale(Taps(), STACK)
        assert not area.look()
        assert not area.look()
