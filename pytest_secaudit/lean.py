"""Frozen dataclasses at half of their memory: methods that are alike in all of them are shared.

``dataclass(frozen=True, slots=True)`` writes ``__setattr__``, ``__delattr__`` and ``__repr__`` anew into each class. The
first two also keep the class from before the slots alive. From Python 3.12 on that is some 8 KB for each class, and a
run has eighty of them (`benchmarks/overhead.py --measures memory`).
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any, NoReturn, TypeVar

_Class = TypeVar("_Class", bound=type)


def lean(cls: _Class) -> _Class:
    """A class decorator to be put above ``@dataclass(frozen=True, slots=True)``: nothing else changes."""
    shared: Any = cls
    shared.__setattr__ = _refuse_to_set
    shared.__delattr__ = _refuse_to_delete
    shared.__repr__ = _repr
    return cls


def _refuse_to_set(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({shown})"
