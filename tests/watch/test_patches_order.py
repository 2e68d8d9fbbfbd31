"""Nested patchers that stop in a wrong order leave an older mock in place: the attribute is asked, not the book."""

from __future__ import annotations

import contextlib
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

SHOP = "secaudit_order"
WRONG = "still replaced: its patchers were stopped in the wrong order"


class Watched:
    """An area with a scratch module, and what is owed by it."""

    def __init__(self) -> None:
        self.shop: Any = types.ModuleType(SHOP)
        self.shop.a, self.shop.b = object(), object()
        self.shop.Cart = type("Cart", (), {"__module__": SHOP, "total": 1})
        self.shop.Basket = type("Basket", (self.shop.Cart,), {"__module__": SHOP})
        sys.modules[SHOP] = self.shop
        self.originals = {"a": self.shop.a, "b": self.shop.b}
        self.taps = Taps()
        self.area = Patches(self.taps, Stack(os.path.basename, lambda path: path == __file__))
        self.open: dict[str, Change] = {}
        assert not self.area.look()

    def end(self) -> None:
        self.taps.take_back()
        self.area.stop()
        with contextlib.suppress(AttributeError):  # stopped twice
            mock.patch.stopall()
        mock._patch._active_patches.clear()  # type: ignore[attr-defined]
        del sys.modules[SHOP]

    def look(self) -> set[str]:
        """The attributes of the module that are owed."""
        for change in self.area.look():
            if change.before == ABSENT:
                assert change.key not in self.open
                self.open[change.key] = change
            else:
                assert self.open.pop(change.key).after == change.before
        return {change.subject.removeprefix(f"{SHOP}.") for change in self.open.values()}

    def said(self) -> set[str]:
        self.look()
        return {self.area.said(change) for change in self.open.values()}

    def differing(self) -> set[str]:
        return {name for name, value in self.originals.items() if vars(self.shop)[name] is not value}


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.end()


def patched(watched: Watched, name: str = "a") -> Any:
    return mock.patch.object(watched.shop, name)


@pytest.mark.parametrize("look", [True, False])
def test_the_last_stop_leaves_an_older_mock(watched: Watched, *, look: bool) -> None:
    first, second = patched(watched), patched(watched)
    first.start()
    if look:
        watched.look()
    second.start()
    if look:
        watched.look()
    first.stop()
    if look:
        payments = [change for change in watched.area.look() if watched.open.pop(change.key)]
        assert len(payments) == 2, "the original is back, for now"
        assert not any(watched.area.is_lasting(payment) for payment in payments)
    second.stop()
    assert watched.look() == {"a"}
    assert watched.said() == {WRONG}
    (change,) = watched.open.values()
    assert change.site is not None
    assert change.site.edit is not None
    assert watched.area.fix(change) == f"stop the patchers of {SHOP}.a in reverse order, by addCleanup or an ExitStack"
    assert watched.area.is_lasting(change)
    watched.shop.a = watched.originals["a"]
    assert watched.look() == set()


def test_the_right_order_is_silent(watched: Watched) -> None:
    first, second = patched(watched), patched(watched)
    first.start()
    watched.look()
    second.start()
    watched.look()
    second.stop()
    assert watched.look() == {"a"}
    first.stop()
    assert watched.look() == set()


def test_other_attributes_may_stop_in_any_order(watched: Watched) -> None:
    patchers = [patched(watched, name) for name in "ab"]
    for patcher in patchers:
        patcher.start()
    for patcher in patchers:
        patcher.stop()
    assert watched.look() == set()
    assert not watched.area._register.disorders


def test_three_in_the_order_two_one_three(watched: Watched) -> None:
    one, two, three = (patched(watched) for _ in range(3))
    for patcher in (one, two, three):
        patcher.start()
    two.stop()
    assert watched.look() == {"a"}
    one.stop()
    assert watched.look() == set()
    three.stop()
    assert watched.look() == {"a"} == watched.differing()


def test_three_in_the_order_one_two_three(watched: Watched) -> None:
    """First the original is back, then a mock whose patcher is stopped, under one that is not."""
    one, two, three = (patched(watched) for _ in range(3))
    for patcher in (one, two, three):
        patcher.start()
    assert watched.look() == {"a"}
    one.stop()
    assert watched.look() == set() == watched.differing()
    two.stop()
    assert watched.look() == {"a"} == watched.differing()
    three.stop()
    assert watched.look() == {"a"} == watched.differing()


def test_a_wider_patch_puts_right_what_each_test_forgets(watched: Watched) -> None:
    """The patchers of the tests stay started, but the attribute is the original: nothing is owed."""
    for _ in range(60):
        with patched(watched):
            watched.look()
            patched(watched).start()
            watched.look()
        assert watched.look() == set() == watched.differing()
    assert len(watched.area._register.told) < 30


def test_an_inherited_attribute(watched: Watched) -> None:
    first, second = (mock.patch.object(watched.shop.Basket, "total") for _ in range(2))
    first.start()
    second.start()
    first.stop()
    second.stop()
    assert watched.look() == {"Basket.total"}
    del watched.shop.Basket.total
    assert watched.look() == set()


def test_a_patcher_under_a_with_is_stopped_by_stopall(watched: Watched) -> None:
    patched(watched).start()
    with patched(watched):
        mock.patch.stopall()
        assert watched.look() == set()
    assert watched.said() == {WRONG}


def test_what_was_left_is_patched_again_and_stays_left(watched: Watched) -> None:
    first, second = patched(watched), patched(watched)
    first.start()
    second.start()
    first.stop()
    second.stop()
    watched.look()
    with patched(watched):
        assert watched.look() == {"a"}
    assert watched.look() == {"a"}
    assert watched.said() == {WRONG}


@pytest.mark.parametrize("look", [True, False])
def test_started_twice(watched: Watched, *, look: bool) -> None:
    """Until 3.13 the patcher forgets the original; from 3.14 on it refuses."""
    patcher = patched(watched)
    patcher.start()
    if look:
        watched.look()
    try:
        patcher.start()
    except RuntimeError:
        patcher.stop()
        assert watched.look() == set()
        return
    assert watched.look() == {"a"}
    assert len(watched.open) == 1
    patcher.stop()
    assert watched.said() == {WRONG}
    with pytest.raises(AttributeError):
        patcher.stop()
    assert watched.look() == {"a"} == watched.differing()


def test_a_failing_stop_leaves_the_debt(watched: Watched) -> None:
    class Stubborn(types.ModuleType):
        stuck = False

        def __setattr__(self, name: str, value: object) -> None:
            if self.stuck and name == "a":
                raise RuntimeError("stuck")
            super().__setattr__(name, value)

    watched.shop.__class__ = Stubborn
    patcher = patched(watched)
    patcher.start()
    assert watched.look() == {"a"}
    Stubborn.stuck = True
    with pytest.raises(RuntimeError, match="stuck"):
        patcher.stop()
    assert watched.look() == {"a"}
    Stubborn.stuck = False
    patcher.__exit__(None, None, None)
    assert watched.look() == set()


def test_a_module_that_changes_what_it_is_given(watched: Watched) -> None:
    """A value that is not the one put back says nothing about the order."""

    class Wrapping(types.ModuleType):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value if name.startswith("__") else [value])

    watched.shop.__class__ = Wrapping
    first, second = (mock.patch.object(watched.shop, "a", number) for number in (1, 2))
    first.start()
    second.start()
    first.stop()
    second.stop()
    assert watched.look() == set()


def test_what_the_target_does_not_hold_itself(watched: Watched) -> None:
    """Nobody can look at a slot without asking the object, so the patchers are believed."""
    watched.shop.slots = type("Slots", (), {"__slots__": ("a",), "__module__": SHOP})()
    watched.shop.slots.a = 1
    first, second = (mock.patch.object(watched.shop.slots, "a") for _ in range(2))
    first.start()
    second.start()
    assert watched.look() == {"slots.a"}
    first.stop()
    assert watched.look() == {"slots.a"}
    second.stop()
    assert watched.look() == set()


def test_monkeypatch_over_a_mock(watched: Watched) -> None:
    patcher, monkey = patched(watched), pytest.MonkeyPatch()
    patcher.start()
    monkey.setattr(watched.shop, "a", 1)
    patcher.stop()
    monkey.undo()
    assert watched.look() == {"a"} == watched.differing()
    assert watched.said() == {WRONG}


def test_monkeypatch_over_a_mock_twice(watched: Watched) -> None:
    """What it did last it undoes first."""
    patcher, monkey = patched(watched), pytest.MonkeyPatch()
    patcher.start()
    monkey.setattr(watched.shop, "a", 1)
    monkey.setattr(watched.shop, "a", 2)
    patcher.stop()
    monkey.undo()
    assert watched.look() == {"a"} == watched.differing()


def test_a_mock_over_monkeypatch(watched: Watched) -> None:
    """As `mocker.spy` within `MonkeyPatch.context` does."""
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(watched.shop, "a", 1)
        patcher = patched(watched)
        patcher.start()
        watched.look()
    assert watched.look() == set()
    patcher.stop()
    assert watched.look() == {"a"} == watched.differing()
    assert watched.said() == {WRONG}


class Player:
    """Plays a random script on two attributes; after each step what is owed is exactly what differs."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.started: list[Any] = []
        self.entered: list[Any] = []
        self.monkeys: list[pytest.MonkeyPatch] = []

    def start(self, name: str, which: int) -> None:
        self.started.append(patched(self.watched, name))
        self.started[-1].start()

    def stop(self, name: str, which: int) -> None:
        if self.started:
            self.started.pop(which % len(self.started)).stop()

    def enter(self, name: str, which: int) -> None:
        self.entered.append(patched(self.watched, name))
        self.entered[-1].__enter__()

    def leave(self, name: str, which: int) -> None:
        if self.entered:
            self.entered.pop().__exit__(None, None, None)

    def stopall(self, name: str, which: int) -> None:
        mock.patch.stopall()
        self.started.clear()

    def monkey(self, name: str, which: int) -> None:
        if len(self.monkeys) < 2:
            self.monkeys.append(pytest.MonkeyPatch())
        self.monkeys[which % len(self.monkeys)].setattr(self.watched.shop, name, object())

    def undo(self, name: str, which: int) -> None:
        if self.monkeys:
            self.monkeys.pop(which % len(self.monkeys)).undo()


STEPS: list[Callable[[Player, str, int], None]] = [
    Player.start,
    Player.start,
    Player.stop,
    Player.enter,
    Player.leave,
    Player.stopall,
    Player.monkey,
    Player.undo,
]
SCRIPTS = st.lists(
    st.tuples(st.sampled_from(STEPS), st.sampled_from("ab"), st.integers(0, 5), st.booleans()), max_size=30
)


@given(SCRIPTS)
@settings(max_examples=400, deadline=None)
def test_what_is_owed_is_what_differs(script: list[tuple[Any, str, int, bool]]) -> None:
    watched = Watched()
    player = Player(watched)
    try:
        for step, name, which, look in script:
            step(player, name, which)
            if look:
                assert watched.look() == watched.differing()
        assert watched.look() == watched.differing()
    finally:
        watched.end()
