"""Names in builtins."""

from __future__ import annotations

import builtins
import doctest
import functools
import gettext
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.watch.areas.builtin_names import BuiltinNames
from pytest_secaudit.watch.engine import Engine
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT
from pytest_secaudit.watch.tapping import Taps

ANY: Any = builtins


class Hostile:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def area() -> Iterator[BuiltinNames]:
    with mock.patch.dict(vars(builtins)):
        vars(builtins).pop("_", None)
        area = BuiltinNames(Taps(), Stack(str, str.isdigit))
        assert not area.off
        assert not area.look()
        assert not area.look()
        assert not area.look_closely()
        yield area


def test_a_name_that_is_left_and_one_that_is_taken_away(area: BuiltinNames) -> None:
    ANY.secaudit_name = Hostile()
    (change,) = area.look()
    assert (change.subject, change.before, area.said(change)) == ("builtins.secaudit_name", ABSENT, "added (a Hostile)")
    assert area.fix(change) == 'monkeypatch.setattr(builtins, "secaudit_name", ...)'
    assert not area.look()
    del ANY.secaudit_name
    (back,) = area.look()
    assert (back.before, back.after, area.said(back)) == (change.after, ABSENT, "removed")
    assert not area.look_closely()


@pytest.mark.parametrize("name", ["open", "print", "input", "__import__"])
def test_a_name_that_tests_like_to_replace(area: BuiltinNames, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    fake = mock.MagicMock(wraps=getattr(builtins, name))
    with monkeypatch.context() as patch:
        patch.setattr(builtins, name, fake)
        calls = list(fake.mock_calls)
        changes = list(area.look_closely())
        assert fake.mock_calls == calls
    (change,) = changes
    assert (change.subject, area.said(change)) == (f"builtins.{name}", "replaced by a MagicMock")
    (back,) = area.look_closely()
    assert (back.before, back.after) == (change.after, change.before)


def test_another_name_is_found_on_close_inspection(area: BuiltinNames, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "license", Hostile(), raising=False)
        assert len(list(area.look_closely())) == 1
    assert len(list(area.look_closely())) == 1


def test_a_name_that_is_added_has_its_owner_also_where_nobody_looks_closely(area: BuiltinNames) -> None:
    engine = Engine([area])
    engine.look(closely=True)
    engine._free, engine._next_close_look = 0, 1e18
    first, test = (Actor("test", f"test_a.py::test_{name}", scope="function") for name in "ab")
    for actor in (first, test):
        engine.enter(actor)
        if actor is test:
            ANY.secaudit_name = 1
        engine.leave(actor)
    assert engine.ledger.owes(test)
    assert [*area.stirred] == []


def test_a_deleted_name(area: BuiltinNames, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(builtins, "input")
        patch.setattr(builtins, "secaudit_name", 1, raising=False)
        assert {area.said(change) for change in area.look_closely()} == {"removed", "added (1)"}
    assert len(list(area.look_closely())) == 2


def test_gettext_counts(area: BuiltinNames) -> None:
    gettext.NullTranslations().install()
    changes = list(area.look())
    del ANY._
    assert [change.subject for change in changes] == ["builtins._"]
    assert [area.said(change) for change in area.look()] == ["removed"]
    ANY._ = lambda text: text
    changes = list(area.look())
    del ANY._
    assert [change.subject for change in changes] == ["builtins._"]


def test_the_last_result_of_a_prompt_or_a_doctest_is_silent(area: BuiltinNames) -> None:
    test = doctest.DocTestParser().get_doctest(">>> 40 + 2\n42\n>>> len\n<built-in function len>", {}, "x", None, 0)
    doctest.DocTestRunner().run(test)
    assert "_" in vars(builtins)
    assert not area.look()
    for result in (1, len, Hostile(), str.join, functools.partial(len)):
        ANY._ = result
        assert not area.look_closely()
    del ANY._
    assert not area.look()


@pytest.mark.parametrize("name", ["__IPYTHON__", "get_ipython", "display", "__warningregistry__"])
def test_shells_and_the_register_of_warnings_are_silent(
    area: BuiltinNames, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(builtins, name, 1, raising=False)
        assert not area.look()
    assert not area.look()


def test_nothing_is_held_when_it_is_over(area: BuiltinNames) -> None:
    area.stop()
    assert not any((area._seen, area._values))
