"""Which areas are to be asked now: most can say beforehand what would have to happen before they have news.

An area that hears of the acts themselves names the containers that fill when it does (``stirred``), and what somebody
may change without its hearing: names that are bound anew (``slots``), lists and dicts that grow or shrink (``sizes``).
All of it is looked over at once, in C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import is_, itemgetter
from typing import Any

from pytest_secaudit.watch import real
from pytest_secaudit.watch.state import Area, Change

Look = Callable[[], Iterable[Change]]

#: How to look at which area, in order.
Looks = dict[Look, Area]


class Eyes:
    """The looks at some areas.

    Attributes:
        always: what is looked at with every change of stage.
        asleep: what is looked at when something stirs.
        close: what is dear, and looked at now and then.
    """

    def __init__(self, areas: Sequence[Area]) -> None:
        self._areas = areas
        awake = [area for area in areas if not getattr(area, "seldom", False)]
        self.always: Looks = {area.look: area for area in awake if not hasattr(area, "stirred")}
        self.asleep: Looks = {area.look: area for area in awake if hasattr(area, "stirred")}
        self.close: Looks = {area.look: area for area in areas if getattr(area, "seldom", False)}
        self.close |= {area.look_closely: area for area in areas if hasattr(area, "look_closely")}
        self._with_slots = self._sleepers_with("slots")
        self._with_sizes = self._sleepers_with("sizes")
        self._loaded = -1
        self._youngest: str | None = None
        self._stirred: list[object] = []
        self._whose: list[Look] = []
        self._bound: list[tuple[itemgetter[Any], dict[str, object]]] = []
        self._slots: list[object] = []
        self._sized: list[Any] = []
        self._sizes: list[int] = []

    def _sleepers_with(self, what: str) -> Looks:
        return {look: area for look, area in self.asleep.items() if hasattr(area, what)}

    def without(self, area: Area) -> Eyes:
        """The others."""
        return Eyes([one for one in self._areas if one is not area])

    def woken(self) -> Looks:
        """What is to be looked at beside that of ``always``."""
        if len(real.modules) != self._loaded or next(reversed(real.modules), None) is not self._youngest:
            return self.asleep
        try:
            now = chain.from_iterable([bound(names) for bound, names in self._bound])
            is_as_it_was = all(map(is_, now, self._slots))
        except KeyError:  # one of them was deleted
            is_as_it_was = False
        has_its_sizes = [*map(len, self._sized)] == self._sizes
        if is_as_it_was and has_its_sizes and not any(self._stirred):
            return {}
        looks = [] if is_as_it_was else [*self._with_slots]
        looks += [] if has_its_sizes else [*self._with_sizes]
        looks += [look for look, found in zip(self._whose, self._stirred, strict=True) if found]
        return {look: self.asleep[look] for look in looks}

    def close_again(self) -> None:
        """Those that were woken have been looked at."""
        self._loaded, self._youngest = len(real.modules), next(reversed(real.modules), None)
        pairs = [(look, one) for look, area in self.asleep.items() for one in area.stirred]  # type: ignore[attr-defined]
        self._whose, self._stirred = [look for look, _ in pairs], [one for _, one in pairs]
        slots = [slot for area in self._with_slots.values() for slot in area.slots]  # type: ignore[attr-defined]
        spaces = {id(names): names for names, _ in slots}
        by_space = [(names, [name for one, name in slots if one is names]) for names in spaces.values()]
        self._bound = [(itemgetter(*names, names[0]), space) for space, names in by_space]  # of two and more: a tuple
        self._slots = [value for bound, space in self._bound for value in bound(space)]
        self._sized = [one for area in self._with_sizes.values() for one in area.sizes]  # type: ignore[attr-defined]
        self._sizes = [*map(len, self._sized)]
