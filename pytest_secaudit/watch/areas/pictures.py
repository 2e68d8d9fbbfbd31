"""A picture of what is in a value, to be compared with a later one. No code of the value runs, nothing is copied.

What is plain is compared by type and value (``1`` is not ``True``), containers by what is in them, instances of chosen
classes by their attributes, everything else by identity.
"""

from __future__ import annotations

import functools
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_secaudit.lean import lean
from pytest_secaudit.strangers import bases_of, names_of
from pytest_secaudit.watch.state import ABSENT, Held

#: What a picture shows at most, and how deep it goes.
MOST_PLACES: Final = 1000
DEPTH: Final = 4

_PLAIN: Final = frozenset((bool, bytes, complex, float, int, str, type(None), type(Ellipsis)))
_KEYS: Final = frozenset((bool, bytes, int, str, type(None)))
_DICTS: Final = frozenset((dict, OrderedDict, defaultdict, Counter))
_ROWS: Final = frozenset((list, tuple, deque))
_SETS: Final = frozenset((set, frozenset))
_SIZED: Final = _DICTS | _ROWS | _SETS
_OPEN: Final = _SIZED | {bytearray, types.SimpleNamespace}

#: The way from a value to a place inside it: ``("['pdf']", ".name")``.
Place = tuple[str, ...]
Picture = Mapping[Place, Hashable]


@lean
@dataclass(frozen=True, slots=True)
class Whole:
    """What a container is itself.

    Attributes:
        kind: the name of its type.
        parts: in a row, its entries in their order; in a set, those that are plain.
        others: how many entries, or keys, are not plain and not in ``parts``.
    """

    kind: str
    parts: tuple[Hashable, ...] | frozenset[Hashable] = ()
    others: int = 0

    def has_only_grown(self, after: object) -> bool:
        """Whether the later picture of it has all that was there, in a row as it was, and more."""
        if type(after) is not Whole or after.kind != self.kind or self.kind in ("tuple", "frozenset"):
            return False
        if isinstance(self.parts, tuple) and isinstance(after.parts, tuple):
            return after.parts[: len(self.parts)] == self.parts
        return frozenset(self.parts) <= frozenset(after.parts) and self.others <= after.others


def picture(value: object, is_open: Callable[[type], bool]) -> Picture | None:
    """What is where in a value; None for one that cannot be looked into, or has too much in it.

    Args:
        value: a user's object.
        is_open: whether the instances of a class are looked into, by their attributes.
    """
    shown: dict[Place, Hashable] = {}
    seen: set[int] = set()
    pending: deque[tuple[Place, object]] = deque([((), value)])
    while pending:
        place, found = pending.popleft()
        if type(found) in _SIZED and len(found) > MOST_PLACES:  # type: ignore[arg-type]
            return None
        looked_into = _whole(found, is_open) if len(place) < DEPTH and id(found) not in seen else None
        if looked_into is None:
            shown[place] = _token(found, is_open)
            continue
        seen.add(id(found))
        shown[place], inner = looked_into
        pending.extend(((*place, step), part) for step, part in inner)
        if len(shown) + len(pending) > MOST_PLACES:
            return None
    return shown if type(shown[()]) is Whole else None


def is_container(value: object) -> bool:
    """Whether it is one of those that pictures are made of."""
    return type(value) in _OPEN


def weight(shown: Picture) -> int:
    """How much there is to look at."""
    return sum(1 + (len(token.parts) if type(token) is Whole else 0) for token in shown.values())


def changed(before: Picture, after: Picture) -> list[Place]:
    """The outermost places that differ."""
    differing = {place for place in {**before, **after} if before.get(place, ABSENT) != after.get(place, ABSENT)}
    return [place for place in differing if not any(place[:length] in differing for length in range(len(place)))]


def _token(found: object, is_open: Callable[[type], bool]) -> Hashable:
    """What stands for a value, without keeping anybody's object alive. What is in it is compared at its own place."""
    kind = type(found)
    if kind in _PLAIN:
        return kind.__name__, found
    if kind in _OPEN or is_open(kind):
        return (kind.__name__,)
    held = Held(found)
    held.loosen()
    return held if held.is_loose else (kind.__name__, id(found))


def _whole(found: Any, is_open: Callable[[type], bool]) -> tuple[Whole, Iterable[tuple[str, object]]] | None:
    """A container and what is in it; None for what is none."""
    kind = type(found)
    if kind in _PLAIN:
        return None
    if kind in _DICTS:
        items = list(dict.items(found))
        named = [(f"[{key!r}]", part) for key, part in items if type(key) in _KEYS]
        return Whole(kind.__name__, others=len(items) - len(named)), named
    if kind in _ROWS:
        row = tuple(found)
        deep = [(f"[{n}]", part) for n, part in enumerate(row) if type(part) not in _PLAIN]
        return Whole(kind.__name__, tuple(_token(part, is_open) for part in row)), deep
    if kind in _SETS:
        plain = [part for part in found if type(part) in _PLAIN]
        return Whole(
            kind.__name__, frozenset((type(part).__name__, part) for part in plain), len(found) - len(plain)
        ), ()
    if kind is bytearray:
        return Whole(kind.__name__, (bytes(found),)), ()
    if kind is types.SimpleNamespace or is_open(kind):
        return Whole(kind.__name__), list(_attributes(found))
    return None


def _attributes(found: object) -> Iterator[tuple[str, object]]:
    kept = _kept_by_the_class(type(found))
    names = names_of(found)
    yield from ((f".{name}", value) for name, value in list(names.items()) if type(name) is str and name not in kept)
    for base in bases_of(type(found)):
        for name, slot in names_of(base).items():
            if type(slot) is types.MemberDescriptorType and name != "__dict__":
                try:
                    yield f".{name}", slot.__get__(found)
                except AttributeError:  # not set
                    continue


def _kept_by_the_class(cls: type) -> Sequence[str]:
    """Names under which the class keeps what it worked out once."""
    spaces = map(names_of, bases_of(cls))
    return [name for space in spaces for name, value in space.items() if type(value) is functools.cached_property]
