"""What stands for a value in a change: itself where it is plain, a token where it is a user's object or may be secret."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import called
from pytest_secaudit.watch.state import ABSENT, Held

_PLAIN = frozenset((bool, bytes, float, int, str, type(None)))


@lean
@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that is compared, and never shown."""

    value: Hashable = field(repr=False)


def token(value: Any, said: str = "") -> Hashable:
    """The value itself if it is plain; a user's object, held."""
    if type(value) in _PLAIN or (type(value) is tuple and all(type(part) in _PLAIN for part in value)):
        plain: Hashable = value
        return plain
    return Held(value, said or called(value))


def shown(value: Hashable) -> str:
    """A token in a sentence."""
    if type(value) is Held:
        return clean(value.said)
    if value == ABSENT:
        return "not there"
    return clean(repr(value)[:60])
