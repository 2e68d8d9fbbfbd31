"""Which areas are asked, and what wakes them."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from typing import Any

import pytest

from pytest_secaudit.watch.eyes import Eyes
from pytest_secaudit.watch.state import Area, Change


class Plain:
    """An area that is always asked."""

    code, off = "PSA103", ""

    def __init__(self, name: str, **more: Any) -> None:
        self.name = name
        vars(self).update(more)

    def look(self) -> Iterable[Change]:
        return ()

    def said(self, change: Change) -> str:
        return str(change.after)

    def fix(self, change: Change) -> str:
        return str(change.before)

    def settle(self) -> None: ...

    def stop(self) -> None: ...


def names(looks: dict[Any, Area]) -> list[str]:
    return [area.name for area in looks.values()]


def at_rest(*areas: Plain) -> Eyes:
    eyes = Eyes(areas)
    eyes.close_again()
    assert not eyes.woken()
    return eyes


def test_all_are_asked_once_to_begin_with() -> None:
    eyes = Eyes([Plain("a", stirred=()), Plain("b", stirred=()), Plain("always"), Plain("dear", seldom=True)])
    assert (names(eyes.woken()), names(eyes.always), names(eyes.close)) == (["a", "b"], ["always"], ["dear"])


def test_only_those_that_stirred_are_woken() -> None:
    heard: list[str] = []
    eyes = at_rest(Plain("a", stirred=(heard,)), Plain("b", stirred=([],)))
    heard.append("something")
    assert names(eyes.woken()) == ["a"]
    heard.clear()
    assert not eyes.woken()


def test_a_name_that_is_bound_anew_wakes_those_with_names() -> None:
    one, other = {"x": 1, "y": 2}, {"z": 3}
    slots = [(one, "x"), (other, "z"), (one, "y")]
    eyes = at_rest(Plain("a", stirred=(), slots=slots), Plain("b", stirred=()))
    other["z"] = 4
    assert names(eyes.woken()) == ["a"]
    eyes.close_again()
    assert not eyes.woken()


def test_a_name_that_is_deleted_wakes_them_too() -> None:
    space: dict[str, object] = {"x": 1}
    eyes = at_rest(Plain("a", stirred=(), slots=[(space, "x")]))
    del space["x"]
    assert names(eyes.woken()) == ["a"]


def test_values_are_never_compared() -> None:
    class Mine:
        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    space: dict[str, object] = {"x": Mine()}
    eyes = at_rest(Plain("a", stirred=(), slots=[(space, "x")]))
    space["x"] = Mine()
    assert names(eyes.woken()) == ["a"]


def test_what_grows_or_shrinks_wakes_those_with_sizes() -> None:
    path = ["a"]
    eyes = at_rest(Plain("a", stirred=(), sizes=[path]), Plain("b", stirred=()))
    path.append("b")
    assert names(eyes.woken()) == ["a"]
    eyes.close_again()
    path.clear()
    assert names(eyes.woken()) == ["a"]


def test_what_goes_back_and_forth_without_news_wakes_nobody() -> None:
    space: dict[str, object] = {"x": "inside"}
    eyes = at_rest(Plain("a", stirred=(), slots=[(space, "x")]))
    space["x"] = "outside"
    assert names(eyes.woken()) == ["a"]
    eyes.close_again(has_found=False)
    for value in ("inside", "outside", "inside"):
        space["x"] = value
        assert not eyes.woken()
    space["x"] = "elsewhere"
    assert names(eyes.woken()) == ["a"]


def test_what_was_news_wakes_again_when_it_is_undone() -> None:
    space: dict[str, object] = {"x": "inside"}
    eyes = at_rest(Plain("a", stirred=(), slots=[(space, "x")]))
    space["x"] = "mine"
    eyes.close_again(has_found=True)
    space["x"] = "inside"
    assert names(eyes.woken()) == ["a"]


def test_names_and_sizes_go_back_and_forth_together() -> None:
    """Captured, and with one handler; not captured, and with none: no other way round."""
    space: dict[str, object] = {"x": "inside"}
    handlers = ["one"]
    eyes = at_rest(Plain("a", stirred=(), slots=[(space, "x")], sizes=[handlers]))
    space["x"] = "outside"
    handlers.clear()
    eyes.close_again(has_found=False)
    handlers.append("one")
    assert names(eyes.woken()) == ["a"]


def test_a_new_module_ends_what_went_back_and_forth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Areas may have more names to look at from then on."""
    space: dict[str, object] = {"x": "inside"}
    eyes = at_rest(Plain("a", stirred=(), slots=[(space, "x")]))
    space["x"] = "outside"
    monkeypatch.setitem(sys.modules, "secaudit_new", types.ModuleType("secaudit_new"))
    eyes.close_again(has_found=False)
    space["x"] = "inside"
    assert names(eyes.woken()) == ["a"]


def test_a_module_that_comes_or_goes_wakes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    eyes = at_rest(Plain("a", stirred=()), Plain("b", stirred=()))
    monkeypatch.setitem(sys.modules, "secaudit_new", types.ModuleType("secaudit_new"))
    assert names(eyes.woken()) == ["a", "b"]


def test_all_are_asked_again_after_one_that_could_not_name_its_slots() -> None:
    space: dict[str, object] = {"x": 1}
    area = Plain("a", stirred=(), slots=[(space, "x"), (space, "y")])
    eyes = Eyes([area])
    with pytest.raises(KeyError):
        eyes.close_again()
    assert names(eyes.woken()) == ["a"]
    space["y"] = 2
    eyes.close_again()
    assert not eyes.woken()


def test_an_area_that_failed_is_asked_no_more() -> None:
    broken, other = Plain("broken", stirred=()), Plain("other", stirred=())
    assert names(Eyes([broken, other]).without(broken).woken()) == ["other"]
