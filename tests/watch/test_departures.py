"""Who was on stage when a file was written, by the clocks of file systems."""

from __future__ import annotations

from pytest_secaudit.watch.departures import TICK, Departures
from pytest_secaudit.watch.ledger import Actor

FIRST, SECOND, THIRD = (Actor("test", f"test_a.py::test_{number}") for number in (1, 2, 3))
START = 1_700_000_000_000_000_000


def left(*apart: int) -> Departures:
    departures, when = Departures(), START
    for actor, ticks in zip((FIRST, SECOND, THIRD), apart, strict=True):
        when += ticks * TICK
        departures.note(when, actor)
    return departures


def test_whoever_left_next_was_there() -> None:
    departures = left(10, 10, 10)
    assert departures.on_stage(START) == [FIRST]
    assert departures.on_stage(START + 15 * TICK) == [SECOND]


def test_a_clock_that_lags_behind_names_all_that_it_may_have_been() -> None:
    assert left(10, 0, 10).on_stage(START + 10 * TICK - 1) == [FIRST, SECOND, THIRD]
    assert left(10, 1, 10).on_stage(START + 9 * TICK + 1) == [FIRST, SECOND]


def test_after_everybody_there_is_nobody() -> None:
    assert left(10, 10, 10).on_stage(START + 31 * TICK) == []
    assert Departures().on_stage(START) == []
