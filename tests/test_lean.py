"""What a lean value class still does as any frozen dataclass does."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from pytest_secaudit.lean import lean


@lean
@dataclass(frozen=True, slots=True)
class Price:
    net: int
    currency: str = "EUR"
    raw: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Plain:
    net: int
    currency: str = "EUR"
    raw: object = field(default=None, repr=False, compare=False)


@pytest.mark.parametrize("kind", [Price, Plain])
def test_it_is_a_value(kind: type[Price]) -> None:
    price = kind(5)
    assert price == kind(5) == copy.deepcopy(price) == pickle.loads(pickle.dumps(price))
    assert hash(price) == hash(kind(5, raw=[]))
    assert price != kind(6)
    assert replace(price, net=6) == kind(6)
    assert repr(price) == f"{kind.__name__}(net=5, currency='EUR')"
    assert [one.name for one in fields(kind)] == ["net", "currency", "raw"]


@pytest.mark.parametrize("kind", [Price, Plain])
def test_it_cannot_be_changed(kind: type[Price]) -> None:
    price = kind(5)
    with pytest.raises(FrozenInstanceError, match=r"^cannot assign to field 'net'$"):
        price.net = 6  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match=r"^cannot delete field 'net'$"):
        del price.net
    assert price.net == 5


def test_what_is_alike_is_shared() -> None:
    from pytest_secaudit.model import Audit, Finding

    for name in ("__setattr__", "__delattr__", "__repr__", "__eq__", "__hash__"):
        assert vars(Audit)[name] is vars(Finding)[name] is vars(Price)[name]


@lean
@dataclass(frozen=True, slots=True)
class Net:
    value: float


@lean
@dataclass(frozen=True, slots=True)
class Gross:
    value: float


@lean
@dataclass(frozen=True, slots=True)
class Mark:
    text: str = field(default="", compare=False)


def test_it_equals_none_of_another_class() -> None:
    assert Net(1.0) != Gross(1.0)
    assert Net(1.0) != 1.0
    assert len({Net(1.0), Net(1.0), Gross(1.0), Net(2.0)}) == 3


def test_one_field_is_compared_as_several_are() -> None:
    """As parts of a tuple: what is the same object is equal, a number that equals nothing, too."""
    nothing = float("nan")
    assert Net(nothing) == Net(nothing)
    assert hash(Net(1.0)) != hash(1.0)


def test_without_a_field_to_compare_all_are_equal() -> None:
    assert Mark("a") == Mark("b")
    assert hash(Mark("a")) == hash(Mark("b"))
