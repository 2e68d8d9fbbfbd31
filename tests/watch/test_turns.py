"""Looks that are dear: when they may be taken, and who may have been it meanwhile."""

from __future__ import annotations

import pytest

from pytest_secaudit.watch.ledger import OUTSIDE, Actor
from pytest_secaudit.watch.turns import FREE_LOOKS, RESERVE, Turn, window_of


def turn(share: float) -> Turn:
    made = Turn({})
    made.share = share
    return made


def test_the_first_looks_are_for_everybody_who_may_look_at_all() -> None:
    assert turn(0.01).is_affordable(0.0)
    assert turn(0.01).is_rich
    assert not turn(0.0).is_affordable(0.0)
    assert not turn(0.0).is_rich


@pytest.mark.parametrize(("looks", "seconds"), [(FREE_LOOKS, 0.0), (1, RESERVE)])
def test_they_come_to_an_end(looks: int, seconds: float) -> None:
    one = turn(0.01)
    for number in range(looks):
        assert one.is_rich
        one.took(seconds, float(number))
    assert not one.is_rich


def test_a_share_of_the_time_is_earned_and_none_while_looking() -> None:
    one = turn(0.1)
    one.took(RESERVE, 0.0)
    one.took(1.0, 1.0)
    assert not one.is_affordable(10.9)  # 0.99 seconds earned, and one is owed
    assert not one.is_affordable(12.0)  # what one takes of late has to be there
    assert one.is_affordable(20.0)


TESTS = [Actor("test", f"t.py::test_{n}", scope="function", serial=n) for n in range(30)]
FIXTURE = Actor("fixture", "t.py::db", scope="module")
PLUGIN = Actor("fixture", "<site-packages>/x.py::y", scope="function", plugin="x")


@pytest.mark.parametrize(
    ("before", "last", "identity", "kind"),
    [
        ([TESTS[0]], OUTSIDE, "t.py::test_0", "test"),
        ([TESTS[0]], TESTS[0], "t.py::test_0", "test"),
        ([FIXTURE], TESTS[1], "t.py::db ... t.py::test_1", "window"),
        ([PLUGIN], TESTS[1], "t.py::test_1", "window"),
        ([TESTS[0], FIXTURE], TESTS[1], "t.py::test_0 ... t.py::test_1", "window"),
        ([PLUGIN, FIXTURE], OUTSIDE, "t.py::db", "window"),
    ],
)
def test_who_may_have_been_it(before: list[Actor], last: Actor, identity: str, kind: str) -> None:
    window = window_of(before, last)
    assert (window.id, window.kind) == (identity, kind)


def test_not_all_of_very_many_are_known_by_name() -> None:
    many = [Actor("test", f"t.py::test_{number}", serial=number) for number in range(600)]
    assert len(window_of(many, OUTSIDE).ids) == 500
