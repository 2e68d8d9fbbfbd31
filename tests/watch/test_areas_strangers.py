"""Looking at objects that fight back."""

from __future__ import annotations

import functools
import io
import types
from collections.abc import Callable
from unittest import mock

import pytest

from pytest_secaudit.strangers import called, home_of, is_module, names_of, type_name
from pytest_secaudit.watch.areas.values import Hidden, shown, token
from pytest_secaudit.watch.state import ABSENT, Held


class Meta(type):
    """Answers nothing."""

    def __getattribute__(cls, name: str) -> object:
        raise RuntimeError(name)


class Hostile(metaclass=Meta):
    """Raises whatever it is asked."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


def refuse(*args: object) -> bool:
    raise RuntimeError


class HostileModule(types.ModuleType):
    __getattribute__ = refuse
    __eq__ = refuse
    __hash__ = refuse  # type: ignore[assignment]


class Slotted:
    __slots__ = ("x",)


class Lies:
    """As a `mock.Mock(spec=...)` does."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return types.ModuleType

    @property
    def __dict__(self) -> dict[str, object]:  # type: ignore[override]
        raise RuntimeError


def test_hostile_objects_are_named_by_their_type() -> None:
    assert called(Hostile()) == "a Hostile"
    assert type_name(Hostile()) == "Hostile"
    assert home_of(Hostile()) == __name__
    assert names_of(Hostile()) == {}
    assert shown(token(Hostile())) == "a Hostile"
    assert called(Hostile) == f"{__name__}.Hostile"


def test_modules_and_those_that_only_say_so() -> None:
    assert is_module(HostileModule("x"))
    assert names_of(HostileModule("x"))["__name__"] == "x"
    assert not is_module(Lies())
    assert names_of(Lies()) == {}
    assert names_of(Slotted()) == {}
    assert names_of(types.ModuleType.__new__(types.ModuleType)) == {}
    assert names_of(types.SimpleNamespace(a=1)) == {"a": 1}
    assert "__dict__" in names_of(Slotted) or "x" in names_of(Slotted)


@pytest.mark.parametrize(
    ("found", "home", "name"),
    [
        (len, "builtins", "len"),
        (functools.partial(functools.partial(test_modules_and_those_that_only_say_so)), __name__, "a partial"),
        (io.StringIO(), "_io", "a StringIO"),
        (io.StringIO, "_io", "_io.StringIO"),
        (mock.Mock(), "unittest.mock", "a Mock"),
        (1, "builtins", "an int"),
        (Slotted().__init__, "builtins", "a method-wrapper"),
        ("".join, "", "str.join"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_things_are_from_and_what_they_are_called(found: object, home: str, name: str) -> None:
    assert (home_of(found), called(found)) == (home, name)


def test_functions_are_called_by_their_names() -> None:
    def inner() -> None:
        """Stands in a function."""

    assert called(inner) == f"{__name__}.test_functions_are_called_by_their_names.inner"
    assert home_of(types.MethodType(inner, 1)) == __name__
    assert called(types.MethodType(inner, 1)) == called(inner)
    outer = functools.wraps(inner)(lambda: None)
    assert called(outer) == f"a wrapper of {called(inner)}"
    outer.__wrapped__ = outer
    assert called(outer).startswith("a wrapper of ")
    inner.__module__ = Hostile()  # type: ignore[assignment]
    assert home_of(inner) == ""


def test_a_class_without_a_module() -> None:
    cls = type("C", (), {"__module__": 1})
    assert home_of(cls()) == ""
    assert called(cls) == "C"


@pytest.mark.parametrize("make", [*map(functools.partial, [Hostile]), lambda: HostileModule("x"), lambda: print, Lies])
def test_a_token_is_equal_to_itself_alone(make: Callable[[], object]) -> None:
    value = make()
    assert token(value) == token(value)
    assert token(value) != token(Slotted())
    assert type(token(value)) is Held


def test_plain_values_are_themselves_and_hidden_ones_are_not_shown() -> None:
    for value in (None, True, 1, 1.5, "x", b"x", (1, 2), (("a",), 1)):
        assert token(value) == value or type(token(value)) is Held
    assert token((1, 2)) == (1, 2)
    assert type(token((Hostile(),))) is Held
    assert "x" not in repr(Hidden("x")).removeprefix("Hidden")
    assert Hidden("x") == Hidden("x") != Hidden("y")
    assert shown(ABSENT) == "not there"
    assert shown("ghp_" + "a1B2" * 9) == "'ghp_<redacted>'"
