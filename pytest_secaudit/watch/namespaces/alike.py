"""Objects of which one is as good as another: values of the standard library, and mocks that nobody touched."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from pytest_secaudit.strangers import bases_of, home_of_class, names_of, type_name

MOCKS: Final = frozenset(("mock", "unittest.mock"))
#: What a mock keeps of its own (`unittest.mock.NonCallableMock.__init__`); any other name was set by somebody.
_OWN: Final = ("_mock_", "_spec_", "method_calls")
#: Classes whose objects never change, and say in their ``repr`` all that they are, with nobody's code.
_VALUES: Final = frozenset(
    (
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("uuid", "UUID"),
    )
)
_PLAIN_ZONES: Final = frozenset((("builtins", "NoneType"), ("datetime", "timezone")))


def alike(value: object) -> Hashable | None:
    """What an object is equal to others by, though they are not it; None where it is only itself."""
    if _class_of(value) in _VALUES:
        return _as_value(value)
    return untouched(value)


def untouched(value: object) -> Hashable | None:
    """The same for a mock without a call, a child, a return value or a side effect; None for anything else."""
    if not any(home_of_class(base) in MOCKS for base in bases_of(type(value))):
        return None
    names = names_of(value)
    if "_mock_children" not in names or any(names.get(one) for one in ("_mock_children", "_mock_mock_calls")):
        return None
    if names.get("_mock_side_effect") is not None or names.get("_mock_wraps") is not None:
        return None
    given = names.get("_mock_return_value")
    if given is not None and not type_name(given).endswith("SentinelObject"):  # its default
        return None
    if any(type(name) is not str or not name.startswith(_OWN) for name in names):
        return None
    return type_name(value), "untouched", id(names.get("_spec_class"))


def _as_value(value: object) -> Hashable | None:
    if _class_of(getattr(value, "tzinfo", None)) not in _PLAIN_ZONES:
        return None
    return type_name(value), "value", repr(value)


def _class_of(value: object) -> tuple[str, str]:
    return home_of_class(type(value)), type_name(value)
