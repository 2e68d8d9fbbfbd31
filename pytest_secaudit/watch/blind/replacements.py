"""Which functions of the project are replaced, where, and during which tests."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import CodeType
from typing import Any, Final

from pytest_secaudit.model import Place
from pytest_secaudit.strangers import bases_of, is_class, names_of
from pytest_secaudit.watch.blind.functions import Found, functions_of, is_stub
from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.patches.acts import Act
from pytest_secaudit.watch.patches.register import QUIETLY, Kind, Where
from pytest_secaudit.watch.patches.targets import NOTHING, raw

#: Of a test: path relative to the rootdir, line counted from 0, name.
Location = tuple[str, int | None, str]

#: So many originals are known before those that are gone are forgotten.
_MOST_KNOWN: Final = 10_000


class Replaced:
    """A function that was replaced.

    Attributes:
        tests: during which it was.
        places: where that was done.
        with_class: its whole class was, and never the function itself.
    """

    __slots__ = ("found", "places", "tests", "with_class")

    def __init__(self, found: Found) -> None:
        self.found = found
        self.tests: set[str] = set()
        self.places: set[Place] = set()
        self.with_class = found.with_class


class Replacements:
    """Hears of patches from the moment it is made.

    Args:
        patches: tells of each.
        is_product: whether a file is the project's, and not its tests'.
        path_of: a path in the location of a test as the report writes it.
    """

    def __init__(
        self, patches: Patches, is_product: Callable[[str], bool], path_of: Callable[[str], str] = str
    ) -> None:
        self._patches = patches
        self._is_product = is_product
        self._path_of = path_of
        self._test = ""
        self._home: Location | None = None
        #: By the id of an original that is still there, with what stands behind it.
        self._known: dict[int, tuple[weakref.ref[Any], tuple[Replaced, ...]]] = {}
        self._functions: dict[tuple[str, int, str], Replaced] = {}
        #: By instruction; the code is kept, for its id must not be used again.
        self._places: dict[tuple[int, int], tuple[CodeType, Place | None]] = {}
        self._open: list[tuple[Kind, weakref.ref[Any], tuple[Replaced, ...]]] = []
        patches.tell(self._heard)

    def stop(self) -> None:
        """Hear no more."""
        self._patches.tell(None)

    def test_begins(self, test: str, home: Location) -> None:
        """What is still replaced is so during this test, too.

        Args:
            test: its id.
            home: where it is, as pytest says: what decorators replace is replaced there.
        """
        self._test, self._home = test, home
        if self._open:
            with QUIETLY:
                self._open = [one for one in self._open if _is_in_force(one[0], one[1]())]
                for _, _, replaced in self._open:
                    for one in replaced:
                        one.tests.add(test)

    def by_hand(self, original: object, place: Place, tests: set[str]) -> None:
        """A line that these tests run assigns to where the original stands."""
        for one in self._behind(original):
            one.tests.update(tests)
            one.places.add(place)

    def told(self) -> Iterator[Replaced]:
        """Each function that was replaced during a test."""
        return (one for one in self._functions.values() if one.tests)

    # --- what patchers do: nothing here may raise

    def _heard(self, kind: Kind, thing: Any, where: Where) -> None:
        with QUIETLY:
            replaced = tuple(one for original in _originals(kind, thing) for one in self._behind(original))
            if not replaced:
                return
            place = self._place(where) or self._place_of_test()
            for one in replaced:
                if self._test:
                    one.tests.add(self._test)
                if place is not None:
                    one.places.add(place)
            self._open.append((kind, weakref.ref(thing), replaced))

    def _place_of_test(self) -> Place | None:
        if self._home is None:
            return None
        path, line, _ = self._home
        return Place(self._path_of(path), (line or 0) + 1)

    def _place(self, where: Where) -> Place | None:
        if type(where) is not tuple:
            return self._patches.place_of(where)
        code, at = where
        known = self._places.get((id(code), at))
        if known is None:
            known = self._places[id(code), at] = (code, self._patches.place_of(where))
        return known[1]

    def _behind(self, original: object) -> tuple[Replaced, ...]:
        known = self._known.get(id(original))
        if known is not None and known[0]() is original:
            return known[1]
        replaced = tuple(
            self._one(found)
            for found in functions_of(original)
            if self._is_product(found.code.co_filename) and not is_stub(found.code)
        )
        with suppress(TypeError):  # of some things there are no weak references
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known[id(original)] = (weakref.ref(original), replaced)
        return replaced

    def _one(self, found: Found) -> Replaced:
        one = self._functions.setdefault(found.identity, Replaced(found))
        one.with_class = one.with_class and found.with_class
        return one


def _originals(kind: Kind, thing: Any) -> Iterator[object]:
    """What stood where the patch is now."""
    if type(thing) is Act:
        before = thing.before
        if before is NOTHING and kind.slot(thing) is not None:
            before = _inherited(thing.target, str(thing.name))
        yield before
        return
    own = names_of(thing)
    if "temp_original" in own:
        yield own["temp_original"]
        return
    before, values = own.get("_original"), own.get("values")  # of `patch.dict`
    if type(before) is dict and type(values) is dict:
        for key in list(values):
            yield before.get(key)


def _inherited(target: object, name: str) -> object:
    bases = bases_of(target if is_class(target) else type(target))
    return next(
        (value for base in bases[1 if is_class(target) else 0 :] if (value := raw(base, name)) is not NOTHING), None
    )


def _is_in_force(kind: Kind, thing: Any) -> bool:
    return thing is not None and type(thing).__name__ != "_patch_dict" and kind.is_in_force(thing)
