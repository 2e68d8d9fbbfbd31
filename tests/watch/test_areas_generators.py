"""The random generator once it is seeded, and the decimal context."""

from __future__ import annotations

import contextvars
import copy
import decimal
import json
import random
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_secaudit.watch.areas.generators import Decimals, Generator
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps

STACK = Stack(str, lambda path: path == __file__)


@pytest.fixture
def area() -> Iterator[Generator]:
    state = random.getstate()
    taps = Taps()
    area = Generator(taps, STACK)
    assert not area.look()
    yield area
    taps.take_back()
    random.setstate(state)


def test_a_seed_is_seen_with_its_line(area: Generator) -> None:
    random.random()
    assert not area.look()
    random.seed(42)
    wrote = sys._getframe().f_lineno - 1
    (change,) = area.look()
    assert (change.subject, change.before, area.said(change)) == ("the random generator", "unseeded", "seeded")
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    random.shuffle([1, 2, 3])
    assert not area.look()


def test_a_seed_that_is_put_back_within_one_look_is_silent(area: Generator) -> None:
    state = random.getstate()
    random.random()
    random.seed(1)
    random.setstate(state)
    assert not area.look()


def test_what_puts_the_state_back_is_the_inverse(area: Generator) -> None:
    state = copy.deepcopy(random.getstate())
    random.seed(1)
    (change,) = area.look()
    inner = random.getstate()
    random.seed(2)
    (second,) = area.look()
    assert second.before == change.after
    random.setstate(inner)
    (back,) = area.look()
    assert (back.before, back.after) == (second.after, second.before)
    random.setstate(state)
    (back,) = area.look()
    assert (back.before, back.after) == (change.after, change.before)


def test_a_seed_from_the_system_ends_the_old_one(area: Generator) -> None:
    random.seed(a=5)
    area.look()
    random.seed()
    (back,) = area.look()
    assert (back.after, area.said(back)) == ("unseeded", "without the seed that it had")


def test_every_seeding_is_one_of_its_own(area: Generator) -> None:
    random.seed(7)
    (first,) = area.look()
    random.seed(7)
    (second,) = area.look()
    assert first.after != second.after


def test_a_state_from_elsewhere_is_a_seed(area: Generator) -> None:
    version, numbers, gauss = json.loads(json.dumps(random.Random(3).getstate()))
    random.setstate((version, tuple(numbers), gauss))
    assert [change.before for change in area.look()] == ["unseeded"]


def test_wrong_calls_raise_as_ever_and_change_nothing(area: Generator) -> None:
    with pytest.raises(TypeError):
        random.seed(1, 2, 3)  # type: ignore[call-arg]
    with pytest.raises(IndexError):
        random.setstate(())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        random.setstate()  # type: ignore[call-arg]
    assert not area.look()


@given(st.randoms(use_true_random=False), st.integers())
def test_hypothesis_puts_back_what_it_seeds(rng: random.Random, number: int) -> None:
    rng.random()
    random.seed(number)


def test_hypothesis_is_silent(area: Generator) -> None:
    test_hypothesis_puts_back_what_it_seeds()
    assert area._seeds > 0
    assert not area.look()


def test_other_generators_are_nobodys_business(area: Generator) -> None:
    random.Random(3).seed(4)
    assert not area.look()


def test_off_where_a_plugin_seeds() -> None:
    taps = Taps()
    area = Generator(taps, STACK, reseeded=True)
    assert area.off
    state = random.getstate()
    random.seed(1)
    random.setstate(state)
    assert not area._states
    assert not area.look()


def test_random_is_never_imported_by_us(monkeypatch: pytest.MonkeyPatch) -> None:
    taps = Taps()
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "random")
        area = Generator(taps, STACK)
        assert not area.look()
        assert "random" not in sys.modules
    try:
        assert not area.look()
        state = random.getstate()
        random.seed(3)
        assert area.look()
        random.setstate(state)
    finally:
        taps.take_back()


# --- decimal


def within_a_context_of_its_own(act: object) -> None:
    contextvars.Context().run(act)  # type: ignore[arg-type]


def decimals() -> Decimals:
    return Decimals(Taps(), STACK)


def test_a_decimal_context_that_is_left() -> None:
    def act() -> None:
        decimal.getcontext()
        area = decimals()
        assert not area.look()
        assert not area.look()
        decimal.getcontext().prec = 5
        decimal.getcontext().traps[decimal.FloatOperation] = True
        (change,) = area.look()
        assert change.subject == "the decimal context"
        assert area.said(change) == (
            "with prec 5 (it was 28), traps DivisionByZero, FloatOperation, InvalidOperation, Overflow "
            "(it was DivisionByZero, InvalidOperation, Overflow)"
        )
        decimal.getcontext().traps[decimal.FloatOperation] = False
        decimal.getcontext().prec = 28
        assert area.look() == (Change(change.subject, change.after, change.before),)
        assert not area.look()

    within_a_context_of_its_own(act)


def test_traps_alone_count() -> None:
    def act() -> None:
        decimal.getcontext()
        area = decimals()
        area.look()
        decimal.getcontext().traps[decimal.Inexact] = True
        assert len(area.look()) == 1

    within_a_context_of_its_own(act)


def test_what_was_set_before_is_nobodys() -> None:
    def act() -> None:
        decimal.getcontext().prec = 5
        area = decimals()
        assert not area.look()
        decimal.getcontext().prec = 6
        assert [area.said(change) for change in area.look()] == ["with prec 6 (it was 5)"]

    within_a_context_of_its_own(act)


def test_a_local_context_and_flags_are_silent() -> None:
    def act() -> None:
        area = decimals()
        assert not area.look()
        with decimal.localcontext() as context:
            context.prec = 3
            decimal.Decimal(1) / 3
        decimal.Decimal(1) / 3
        assert decimal.getcontext().flags[decimal.Inexact]
        assert not area.look()
        assert not area.look()

    within_a_context_of_its_own(act)


def test_the_context_is_not_made_by_us_and_begins_as_the_default() -> None:
    def act() -> None:
        area = decimals()
        assert not area.look()
        assert not list(contextvars.copy_context())
        decimal.getcontext().rounding = decimal.ROUND_UP
        (change,) = area.look()
        assert area.said(change) == "with rounding ROUND_UP (it was ROUND_HALF_EVEN)"

    within_a_context_of_its_own(act)


def test_decimal_is_never_imported_by_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "decimal")
    assert not decimals().look()
    assert "decimal" not in sys.modules


def test_another_threads_context_is_its_own() -> None:
    area = decimals()
    area.look()

    def change() -> None:
        decimal.getcontext().prec = 2

    thread = threading.Thread(target=change)
    thread.start()
    thread.join()
    assert not area.look()
