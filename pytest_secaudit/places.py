"""Where state lives, as text names it, and who puts it back: what a reading keeps of the writes in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_secaudit.lean import lean

#: The area of facts about what a set-up writes, whatever it is: see `Place.area`.
SET_UP = "set-up"


@lean
@dataclass(frozen=True, slots=True)
class Place:
    """Where state lives.

    Attributes:
        area: ``environ``, ``cwd``, ``process``, ``sys.modules``, ``attribute``, ``item``, or ``set-up`` for what each
            set-up writes anew, wherever it is.
        name: ``os.environ['TZ']``, ``os.getcwd()``, ``shop.orders.charge``: the subject of a finding.
        whole: a container of which the text does not tell the part (``os.environ.clear()``).
    """

    area: str
    name: str
    whole: bool = False

    def meets(self, other: Place) -> bool:
        """Whether a write to the one may put the other back: they are the same, or one holds the other."""
        return self.holds(other) or (other.whole and other.holds(self))

    def holds(self, other: Place) -> bool:
        """Whether the other place is this one or a part of it (``shop.orders`` holds ``shop.orders.charge``)."""
        if (self.area == SET_UP) != (other.area == SET_UP):
            return False
        if self.area in ("process", "cwd") or other.area in ("process", "cwd"):
            return self == other or (self.whole and other.name.startswith(self.name))
        return any(_same(self.name, part) for part in _wholes(other.name))


def _wholes(name: str) -> Iterator[str]:
    """The name, and the names of everything that it is a part of."""
    yield name
    container = name.partition("[")[0]
    if container != name:
        yield container
    dots = [index for index, letter in enumerate(container) if letter == "." and index and container[index - 1] != "."]
    yield from (container[:index] for index in reversed(dots))


def _same(one: str, other: str) -> bool:
    """Equal, also when the one is relative (``..orders``), or goes through the module that imported the other."""
    if one == other:
        return True
    long, short = (one, other) if len(one) >= len(other) else (other, one)
    if short.startswith("."):
        return long.endswith(f".{short.lstrip('.')}")
    return "." in short and one is long and long.endswith(f".{short}")


@lean
@dataclass(frozen=True, slots=True)
class RestoreFact:
    """A fixture or class of a file puts a place back at the end of its scope.

    ``kind`` is ``fixture`` or ``class``; ``owner`` its name.
    """

    kind: str
    owner: str
    area: str
    name: str
    whole: bool

    @property
    def place(self) -> Place:
        return Place(self.area, self.name, self.whole)
