"""Pictures of values: what differs is seen, no code of the value runs, nothing is kept alive."""

from __future__ import annotations

import functools
import gc
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import pytest

from pytest_secaudit.watch.areas.pictures import MOST_PLACES, Picture, Place, changed, picture, weight


class Thing:
    def __init__(self, **more: Any) -> None:
        vars(self).update(more)

    @functools.cached_property
    def worked_out(self) -> int:
        return 1


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a = 1


class Hostile:
    """Raises whatever is asked of it."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError

    def __repr__(self) -> str:
        raise AssertionError

    def __len__(self) -> int:
        raise AssertionError

    def __bool__(self) -> bool:
        raise AssertionError


class HostileDict(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise AssertionError


def of(value: object) -> Picture:
    taken = picture(value, {Thing, Slotted}.__contains__)
    assert taken is not None
    return taken


def differs(value: object, change: Callable[[Any], object]) -> list[Place]:
    before = of(value)
    assert of(value) == before
    change(value)
    return sorted(changed(before, of(value)))


def setting(name: str, to: object) -> Callable[[Any], object]:
    return lambda value: setattr(value, name, to)


@pytest.mark.parametrize(
    ("value", "change", "places"),
    [
        ({"a": 1}, lambda it: it.update(b=2), [("['b']",)]),
        ({"a": 1}, lambda it: it.pop("a"), [("['a']",)]),
        ({"a": 1}, lambda it: it.update(a=True), [("['a']",)]),
        ({"a": {"b": {"c": 1}}}, lambda it: it["a"]["b"].update(c=2), [("['a']", "['b']", "['c']")]),
        ({1: "x"}, lambda it: it.update({1: "y"}), [("[1]",)]),
        ({object(): 1}, lambda it: it.update({object(): 1}), [()]),
        (OrderedDict(a=1), lambda it: it.update(a=2), [("['a']",)]),
        (defaultdict(list, a=[1]), lambda it: it["a"].append(2), [("['a']",)]),
        (defaultdict(list), lambda it: it["a"], [("['a']",)]),
        ([1], lambda it: it.append(2), [()]),
        ([1, 2], lambda it: it.reverse(), [()]),
        ([{"a": 1}], lambda it: it[0].update(a=2), [("[0]", "['a']")]),
        (deque([1]), lambda it: it.append(1), [()]),
        ({1, 2}, lambda it: it.discard(1), [()]),
        (({"a": 1},), lambda it: it[0].clear(), [("[0]", "['a']")]),
        (bytearray(b"ab"), lambda it: it.extend(b"c"), [()]),
        (types.SimpleNamespace(a=1), setting("a", 2), [(".a",)]),
        (Thing(a=1), setting("a", 2), [(".a",)]),
        (Thing(a=1), lambda it: delattr(it, "a"), [(".a",)]),
        (Thing(inner=Thing(a=[1])), lambda it: it.inner.a.append(2), [(".inner", ".a")]),
        (Slotted(), setting("a", 2), [(".a",)]),
        (Slotted(), setting("b", 2), [(".b",)]),
    ],
)  # fmt: skip
def test_what_differs_is_seen_at_its_place(value: object, change: Callable[[Any], object], places: list[Place]) -> None:
    assert differs(value, change) == places


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ({"a": 1, "b": 2}, lambda it: it.update(a=it.pop("a"))),  # the order of a dict
        ({"a": [1]}, lambda it: it.update(a=[1])),  # an equal one
        ([{"a": 1}, (1, 2)], lambda it: it.__setitem__(slice(None), [{"a": 1}, (1, 2)])),
        ([Thing(a=1)], lambda it: it.__setitem__(0, Thing(a=1))),
        (Thing(), lambda it: it.worked_out),
        ({"a": float("nan")}, lambda it: None),
    ],
)
def test_what_is_equal_is_no_difference(value: object, change: Callable[[Any], object]) -> None:
    assert differs(value, change) == []


def test_no_code_of_strangers_runs() -> None:
    value = {"it": [Hostile(), HostileDict()], "mine": Thing(a=Hostile())}
    assert differs(value, lambda it: it.update(b=Hostile())) == [("['b']",)]


def test_what_cannot_be_looked_into() -> None:
    for value in (1, "text", None, object(), Hostile(), HostileDict(a=1), len, Thing):
        assert picture(value, {Thing}.__contains__) is None


def test_too_much_in_it() -> None:
    assert picture({n: [n] for n in range(MOST_PLACES)}, {Thing}.__contains__) is None
    assert picture({"rows": [0] * (MOST_PLACES + 1)}, {Thing}.__contains__) is None
    assert picture([0] * MOST_PLACES, {Thing}.__contains__) is not None


def test_weight_is_what_there_is_to_look_at() -> None:
    assert weight(of({"a": 1, "b": [1, 2, 3]})) == 1 + 1 + 1 + 3


def test_a_cycle_and_one_object_in_two_places() -> None:
    shared: list[object] = [1]
    value: dict[str, object] = {"a": shared, "b": shared}
    value["self"] = value
    assert differs(value, lambda it: it["a"].append(2)) == [("['a']",)]


def test_deep_down_only_identity_counts() -> None:
    value = {"a": {"b": {"c": {"d": {"e": 1}}}}}
    assert differs(value, lambda it: it["a"]["b"]["c"]["d"].update(e=2)) == []


def test_nothing_is_kept_alive() -> None:
    value: dict[str, object] = {"a": Thing(), "row": [Thing()], "mine": Thing()}
    there = [weakref.ref(value["a"]), weakref.ref(value["row"][0])]  # type: ignore[index]
    taken = picture(value, lambda cls: False)
    value.clear()
    gc.collect()
    assert taken is not None
    assert [one() for one in there] == [None, None]  # though the picture is still there


def test_an_object_in_the_place_of_another_is_a_difference() -> None:
    value = {"a": object.__new__(types.new_class("Opaque"))}
    assert differs(value, lambda it: it.update(a=object.__new__(type(it["a"])))) == [("['a']",)]
