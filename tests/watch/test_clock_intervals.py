"""Stretches of time that overlap count once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_secaudit.watch.intervals import _MOST, Union, overlapping

stretches = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=40)


@given(stretches)
def test_the_length_is_that_of_the_union(found: list[tuple[int, int]]) -> None:
    union = Union()
    for begin, end in found:
        union.add(begin, end)
    covered = {moment for begin, end in found for moment in range(begin, end)}
    assert union.seconds == len(covered)


@given(st.integers(0, 200), st.integers(1, 5))
def test_as_they_end_in_bounded_memory(start: int, gap: int) -> None:
    union = Union()
    for number in range(3 * _MOST):
        begin = start + number * (1 + gap)
        union.add(begin, begin + 1)
        union.add(begin, begin + 1)
    assert union.seconds == 3 * _MOST
    assert len(union._begins) <= _MOST


def test_one_that_outlasts_all_others_is_never_too_much() -> None:
    union = Union()
    for number in range(3 * _MOST):
        union.add(2 * number, 2 * number + 1)
    union.add(0, 6 * _MOST)
    assert 3 * _MOST < union.seconds <= 6 * _MOST


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20), st.integers(0, 20)), max_size=12))
def test_overlapping(found: list[tuple[str, int, int]]) -> None:
    found = [(name, begin, end) for name, begin, end in found if begin < end]
    expected = {
        one
        for one, begin, end in found
        for other, other_begin, other_end in found
        if one != other and begin < other_end and other_begin < end
    }
    assert overlapping(found) == expected


def test_what_only_touches_does_not_overlap() -> None:
    assert overlapping([("a", 0, 1), ("b", 1, 2)]) == set()
