"""The values of fixtures that tests share."""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_secaudit.watch.areas.fixture_values import MOST_PLACES_IN_ALL, MOST_PLACES_OFTEN, FixtureValues
from pytest_secaudit.watch.areas.pictures import MOST_PLACES
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Site
from pytest_secaudit.watch.tapping import Taps


class Thing:
    """Of a test file: looked into."""

    def __init__(self) -> None:
        self.size = 1
        self.ratio = 1.5
        self.seen: list[int] = []
        self._made: object | None = None


class Product(types.SimpleNamespace):
    """Of a class that no test file defines."""


Product.__module__ = "shop"


@pytest.fixture
def area() -> FixtureValues:
    return FixtureValues(
        Taps(),
        Stack(str, bool),
        test_path=lambda path: path if path == __file__ else "",
        is_project=lambda module: False,
    )


def told(area: FixtureValues) -> list[tuple[str, str, str]]:
    return [
        (one.subject, area.said(one).removesuffix("; other tests get the same object"), area.level(one))
        for one in area.look_closely()
    ]


@pytest.mark.parametrize(
    ("value", "change", "expected"),
    [
        ({"a": 1}, lambda it: it.update(b=2), [("fixture:db['b']", "added, 2", "")]),
        ({"a": 1}, lambda it: it.update(a="x"), [("fixture:db['a']", "changed to a str (it was 1)", "")]),
        ({"a": 1}, lambda it: it.clear(), [("fixture:db['a']", "removed", "")]),
        ({"a": {"b": 1}}, lambda it: it["a"].update(b=2), [("fixture:db['a']", "with other contents, a dict", "")]),
        ({"a": "x" * 50}, lambda it: it.update(a=2), [("fixture:db['a']", "changed to 2 (it was a str)", "")]),
        ({"a": len}, lambda it: it.update(a=max), [("fixture:db['a']", "replaced, a builtin_function_or_method", "")]),
        ([1], lambda it: it.append(2), [("fixture:db", "with other contents, a list", "advisory")]),
        ([1], lambda it: it.pop(), [("fixture:db", "with other contents, a list", "")]),
        ({1}, lambda it: it.add(2), [("fixture:db", "with other contents, a set", "advisory")]),
        ({"a": [1]}, lambda it: it["a"].append(2), [("fixture:db['a']", "with other contents, a list", "advisory")]),
        ([{"a": 1}], lambda it: it[0].update(a=2), [("fixture:db[0]", "with other contents, a dict", "")]),
        (Thing(), lambda it: setattr(it, "size", 0), [("fixture:db.size", "changed to 0 (it was 1)", "")]),
        (Thing(), lambda it: setattr(it, "ratio", 2.5), [("fixture:db.ratio", "changed to 2.5 (it was 1.5)", "")]),
        (
            types.SimpleNamespace(config={"A": 1}),
            lambda it: it.config.update(A=2, B=3),
            [
                ("fixture:db.config['A']", "changed to 2 (it was 1)", ""),
                ("fixture:db.config['B']", "added, 3", ""),
            ],
        ),
    ],
)
def test_what_a_test_wrote(
    area: FixtureValues, value: Any, change: Callable[[Any], object], expected: list[tuple[str, str, str]]
) -> None:
    area.follow(1, "db", value)
    assert told(area) == []
    change(value)
    assert sorted(told(area)) == expected
    assert told(area) == []


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (Thing(), lambda it: setattr(it, "size", it.size + 1)),  # a counter
        (Thing(), lambda it: it.seen.append(1)),  # what a helper remembers
        (Thing(), lambda it: setattr(it, "_made", object())),  # made when first used
        (Product(a=1), lambda it: setattr(it, "a", 2)),  # the product's own affair
        ({"a": Product(a=1)}, lambda it: setattr(it["a"], "a", 2)),
        ({"a": 1}, lambda it: it.update(a=it.pop("a"))),
    ],
)
def test_what_is_nobodys_harm(area: FixtureValues, value: Any, change: Callable[[Any], object]) -> None:
    area.follow(1, "db", value)
    change(value)
    assert told(area) == []


@pytest.mark.parametrize("depth", [1, 2])
def test_a_stack_that_grows_silently_shrinks_silently(area: FixtureValues, depth: int) -> None:
    thing = Thing()
    area.follow(1, "db", thing)
    for _ in range(2):
        for number in range(depth):
            thing.seen.append(number)
            assert told(area) == []
        for _ in range(depth):
            thing.seen.pop()
            assert told(area) == []
    thing.seen = [7]
    assert told(area) == []  # it has only grown
    thing.seen = [8]
    assert told(area) != []


def test_of_fixtures_of_one_name_it_is_known_whose_value_changed(area: FixtureValues) -> None:
    one: dict[str, int] = {}
    area.follow(1, "db", one)
    area.follow(2, "db", {"b": 1})
    one["a"] = 1
    told(area)
    assert area.changed == {1: {"fixture:db['a']"}}


def test_without_a_close_look_only_what_was_asked_for_is_looked_at(area: FixtureValues) -> None:
    used: dict[str, int] = {}
    unused: dict[str, int] = {}
    area.follow(1, "db", used)
    area.follow(2, "other", unused)
    used["a"] = unused["a"] = 1
    assert not area.look()
    area.use(["request", "db"])
    assert [change.subject for change in area.look()] == ["fixture:db['a']"]
    used["a"] = 2
    assert not area.look()
    used["a"] = 1
    assert [change.subject for change in area.look_closely()] == ["fixture:other['a']"]


def test_a_large_value_is_looked_at_closely_only(area: FixtureValues) -> None:
    value: dict[int, int] = dict.fromkeys(range(2 * MOST_PLACES_OFTEN), 1)
    area.follow(1, "db", value)
    area.use(["db"])
    value[0] = 2
    assert not area.look()
    assert [change.subject for change in area.look_closely()] == ["fixture:db[0]"]


def test_put_back_is_the_same_as_never_changed(area: FixtureValues) -> None:
    value = {"a": {"b": 1, "c": 2}, "d": [1]}
    area.follow(1, "db", value)
    value["a"] = {"c": 2, "b": 0}
    (change,) = area.look_closely()
    value["a"] = {"c": 2, "b": 1}
    (back,) = area.look_closely()
    assert (back.before, back.after, back.key) == (change.after, change.before, change.key)


def test_after_the_clean_up_began_nothing_is_said(area: FixtureValues) -> None:
    value = {"a": 1}
    area.follow(1, "db", value)
    area.end(1)
    value.clear()
    assert told(area) == []


def test_one_value_that_two_fixtures_hand_out_is_said_once(area: FixtureValues) -> None:
    value: dict[str, int] = {}
    area.follow(1, "db", value)
    area.follow(2, "alias", value)
    value["a"] = 1
    assert [subject for subject, *_ in told(area)] == ["fixture:db['a']"]


def test_a_value_that_grows_beyond_all_measure_is_let_go(area: FixtureValues) -> None:
    value: dict[int, list[int]] = {}
    area.follow(1, "db", value)
    value.update({n: [n] for n in range(MOST_PLACES)})
    assert told(area) == []
    value.clear()
    assert told(area) == []


def test_text_is_not_shown_it_may_be_a_password(area: FixtureValues) -> None:
    value: dict[str, object] = {"password": "sesame", "salt": b"pepper"}
    area.follow(1, "db", value)
    value.update(password="hunter2", salt=b"garlic")
    assert sorted(told(area)) == [
        ("fixture:db['password']", "replaced, a str", ""),
        ("fixture:db['salt']", "replaced, a bytes", ""),
    ]


def test_there_is_an_end_to_how_much_is_looked_at(area: FixtureValues) -> None:
    values: list[dict[int, int]] = [dict.fromkeys(range(MOST_PLACES_IN_ALL // 4), 1) for _ in range(5)]
    for number, value in enumerate(values):
        area.follow(number, f"db{number}", value)
        value[0] = 2
    assert [change.subject for change in area.look_closely()] == [f"fixture:db{number}[0]" for number in range(3)]


def test_what_was_replaced_is_not_kept_alive(area: FixtureValues) -> None:
    value = {"a": Product()}
    there = weakref.ref(value["a"])
    area.follow(1, "db", value)
    value["a"] = Product()
    changes = area.look_closely()
    assert there() is None
    assert changes


def test_nothing_is_held_when_it_is_over(area: FixtureValues) -> None:
    value = Thing()
    area.follow(1, "db", value)
    area.stop()
    there = weakref.ref(value)
    del value
    assert there() is None


def test_what_is_too_large_is_said(area: FixtureValues) -> None:
    assert area.remark == ""
    area.follow(1, "rows", [[n] for n in range(MOST_PLACES + 1)])
    area.follow(2, "opaque", object())
    for number in range(MOST_PLACES_IN_ALL // 900 + 1):
        area.follow(number + 10, f"db{number}", {str(n): n for n in range(900)})
    assert area.remark == "not the values of db3, rows: too large"


class Client:
    """Of the product."""

    def __init__(self) -> None:
        self.headers = {"a": "b"}
        self.retries = 1
        self.seen: list[int] = []
        self.session: object | None = None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda it: setattr(it, "retries", 0), [("fixture:client.retries", "advisory")]),
        (lambda it: it.headers.update(a="c"), [("fixture:client.headers['a']", "advisory")]),
        (lambda it: it.headers.update(x="c"), [("fixture:client.headers['x']", "info")]),
        (lambda it: it.seen.append(1), []),
        (lambda it: setattr(it, "made", 2), [("fixture:client.made", "info")]),
    ],
)
def test_an_instance_of_the_product(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None], expected: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(Client, "__module__", "shop")
    monkeypatch.setitem(sys.modules, "shop", types.ModuleType("shop"))
    area = FixtureValues(
        Taps(), Stack(str, bool), test_path=lambda path: "", is_project=lambda module: module.__name__ == "shop"
    )
    value = Client()
    area.follow(1, "client", value)
    change(value)
    changes = list(area.look_closely())
    assert [(one.subject, area.level(one)) for one in changes] == expected
    text = "def test_it(client):\n    client.get('/')\n    client.retries = 2\n    assert client.headers['a']\n"
    assert set().union(*(area.writing_lines(text, 1, one) for one in changes)) <= {3}
    assert {area.level(replace(one, site=Site())) for one in changes} <= {""}
