"""Frozen dataclasses at half of their memory: methods that are alike in all of them are shared.

``dataclass(frozen=True, slots=True)`` writes ``__setattr__``, ``__delattr__``, ``__repr__``, ``__eq__`` and ``__hash__``
anew into each class. The first two also keep the class from before the slots alive. From Python 3.12 on that is some
10 KB for each class, and a run has ninety of them (`benchmarks/overhead.py --measures memory`).
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from operator import attrgetter
from typing import Any, NoReturn, TypeVar

_Class = TypeVar("_Class", bound=type)


def lean(cls: _Class) -> _Class:
    """A class decorator to be put above ``@dataclass(frozen=True, slots=True)``: nothing else changes.

    The class has no comparison of its own.
    """
    shared: Any = cls
    names = [one.name for one in fields(shared) if one.compare]
    if names:
        twice = names * (1 + (len(names) == 1))  # of one name there would be no tuple
        shared._compared = attrgetter(*twice)  # noqa: SLF001 - of a class that is in the making
        shared.__eq__ = _equals
        shared.__hash__ = _hash
    shared.__setattr__ = _refuse_to_set
    shared.__delattr__ = _refuse_to_delete
    shared.__repr__ = _repr
    return cls


def _equals(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._compared(self) == self._compared(other)


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _refuse_to_set(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({shown})"
