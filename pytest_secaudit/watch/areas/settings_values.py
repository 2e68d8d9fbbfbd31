"""The value of a setting in a change: compared as far as it is plain data, and hardly ever shown."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_secaudit.lean import lean
from pytest_secaudit.strangers import called
from pytest_secaudit.watch.state import ABSENT, Held

_PLAIN = frozenset((bool, bytes, float, int, str, type(None)))
#: These are switches and figures; a string may be a password, whatever its setting is called.
_SHOWN = frozenset((bool, float, int, type(None)))
_CONTAINERS = frozenset((dict, frozenset, list, set, tuple))
_MAX_ITEMS = 200
_MAX_DEPTH = 4

MISSING = object()


@lean
@dataclass(frozen=True, slots=True)
class Setting:
    """The value of a setting: a list that was made anew is equal to the old one; 1 is not True."""

    content: Hashable = field(repr=False)
    said: str = field(compare=False)


def setting(value: object) -> Hashable:
    """What stands for the value in a change; `MISSING` is what is not there."""
    if value is MISSING:
        return ABSENT
    content = _content(value, _MAX_DEPTH)
    if type(content) is Held:
        return Held(value, called(value))
    return Setting(content, repr(value) if type(value) in _SHOWN else called(value))


def _content(value: Any, depth: int) -> Hashable:
    """Plain data as something hashable, with their types; anything else, and what is too large, is held weakly."""
    kind = type(value)
    if kind in _PLAIN:
        return kind.__name__, value
    if kind in _CONTAINERS and depth and len(value) <= _MAX_ITEMS:
        parts = tuple(value.items() if kind is dict else value)
        contents = (_content(part, depth - (kind is not dict)) for part in parts)
        return kind.__name__, tuple(contents) if kind in (list, tuple) else frozenset(contents)
    held = Held(value)
    held.loosen()
    return held


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[tuple[str, Hashable, Hashable]]:
    """Which settings are another object, and not an equal one: name, before, after."""
    found = []
    for name in {**before, **now}:
        old, new = before.get(name, MISSING), now.get(name, MISSING)
        if old is not new:
            was, there = setting(old), setting(new)
            if was != there:
                found.append((name, was, there))
    return found


def shown(value: object) -> str:
    """A value in a sentence."""
    return value.said if isinstance(value, (Setting, Held)) else "not there"


def left(before: Hashable, after: Hashable) -> str:
    """How a claim goes on after "left SETTING "."""
    if after == ABSENT:
        return "removed"
    if before == ABSENT:
        return f"set to {shown(after)}"
    if shown(before) == shown(after):
        return f"changed ({shown(after)} as before)"
    return f"at {shown(after)} (it was {shown(before)})"
