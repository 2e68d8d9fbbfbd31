"""Of several who may have written: those whose code can, or those that get at it; and where to look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from pytest_secaudit.model import Place
from pytest_secaudit.watch.engine import Engine
from pytest_secaudit.watch.ledger import Actor, Claim
from pytest_secaudit.watch.state import Change

NAMES = "abcd"
TESTS = {
    name: Actor("test", f"t.py::test_{name}", "t.py", "function", "t.py", 10 * n) for n, name in enumerate(NAMES, 1)
}


@dataclass
class Box:
    """A watched value, and what reading the tests' code says of it."""

    lines: Mapping[int, set[int]] = field(default_factory=dict)
    loosely: Mapping[int, set[int]] = field(default_factory=dict)
    naming: str = ""
    reached: str = NAMES
    reset: str = ""
    name: str = "box"
    code: str = "PSA103"
    off: str = ""
    value: object = None
    last: object = None
    seldom: bool = True

    def look(self) -> Iterable[Change]:
        before, self.last = self.last, self.value
        return () if before == self.value else [Change("the box", before, self.value)]

    def can_reach(self, owner: Actor, change: Change) -> bool:
        return owner.id[-1] in self.reached

    def writing_lines(self, text: str, first: int, change: Change) -> set[int]:
        return self.loosely.get(first, set())

    def lines_of_one_of_several(self, text: str, first: int, change: Change) -> set[int]:
        return self.lines.get(first, set())

    def mentions(self, text: str, first: int, change: Change) -> bool:
        return NAMES[first // 10 - 1] in self.naming

    def is_reset_by_set_up(self, text: str, first: int, change: Change) -> bool:
        return NAMES[first // 10 - 1] in self.reset

    def said(self, change: Change) -> str:
        return "open"

    def fix(self, change: Change) -> str:
        return "put it back"

    def settle(self) -> None: ...

    def stop(self) -> None: ...


def claimed(box: Box, failed: str = "") -> Claim:
    """What is claimed when nobody looked before the last of the tests was over."""
    engine = Engine([box])
    engine.source_of = lambda path: "text"
    engine.look(closely=True)
    engine._next_close_look, engine._free = 1e18, 0
    for name, test in TESTS.items():
        engine.ledger.body_begins(test)
        if name in failed:
            engine.ledger.test_failed(test.id)
        engine._unwatched.append(test)
        engine.ledger.leave(test)
    last = engine._unwatched.pop()
    box.value = "open"
    engine.ledger.enter(last)
    engine.look(closely=True)
    engine.ledger.leave(last)
    engine.close_windows()
    (claim,) = engine.ledger.claims
    return claim


@pytest.mark.parametrize(
    ("box", "identity", "line"),
    [
        (Box(), "t.py::test_a ... t.py::test_d", None),
        (Box(loosely={20: {21}}), "t.py::test_a ... t.py::test_d", None),
        (Box({20: {21}}), "t.py::test_b", 21),
        (Box({20: {21, 22}}), "t.py::test_b", None),
        (Box({20: {21, 22}, 30: {31}}), "t.py::test_b ... t.py::test_c", None),
        (Box({20: {5}, 30: {5}}), "t.py::test_b ... t.py::test_c", 5),
        (Box({20: {21}}, naming="c"), "t.py::test_b", 21),
        (Box({20: {21}}, reached="cd"), "t.py::test_c ... t.py::test_d", None),
        (Box(reached="d"), "t.py::test_d", None),
        (Box(reached=""), "t.py::test_a ... t.py::test_d", None),
    ],
)
def test_who_it_was_of_several(box: Box, identity: str, line: int | None) -> None:
    claim = claimed(box)
    assert claim.owner.id == identity
    assert claim.owner.line == next(test.line for test in TESTS.values() if identity.startswith(test.id))
    site = claim.change.site
    assert (site and site.edit) == (None if line is None else Place("t.py", line))


def test_the_place_is_where_it_is_named() -> None:
    owner = claimed(Box(naming="bc")).owner
    assert (owner.kind, owner.id, owner.line) == ("window", "t.py::test_a ... t.py::test_d", 20)
    assert claimed(Box({30: {31, 32}, 40: {41}}, naming="b")).owner.line == 30


@pytest.mark.parametrize(
    ("box", "remade"),
    [
        (Box(reset=NAMES), True),
        (Box(reset="abc"), False),
        (Box(reset="c", reached="c"), True),
        (Box(reset="c", reached="cd"), False),
        (Box(), False),
    ],
)
def test_what_the_set_up_of_all_of_them_resets(box: Box, remade: bool) -> None:
    assert claimed(box).remade is remade


def test_the_one_that_it_was_had_failed() -> None:
    assert claimed(Box(reached="c"), failed="c").after_failure
    assert not claimed(Box(reached="c"), failed="ab").after_failure
    assert not claimed(Box(), failed=NAMES).after_failure
