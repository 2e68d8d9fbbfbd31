"""Which areas are to be asked now: most can say beforehand what would have to happen before they have news.

An area that hears of the acts themselves names the containers that fill when it does (``stirred``), and what somebody
may change without its hearing: names that are bound anew (``slots``), lists and dicts that grow or shrink (``sizes``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized
from operator import is_, itemgetter

from pytest_secaudit.watch import real
from pytest_secaudit.watch.state import Area, Change

Look = Callable[[], Iterable[Change]]

#: How to look at which area, in order.
Looks = dict[Look, Area]

#: How many pictures are kept between which things go back and forth.
_REMEMBERED = 3


class _Picture:
    """What stood where at one moment, and how long it was."""

    def __init__(self, slots: Iterable[tuple[dict[str, object], str]], sized: Iterable[Sized]) -> None:
        spaces: dict[int, tuple[dict[str, object], list[str]]] = {}
        for space, name in slots:
            spaces.setdefault(id(space), (space, []))[1].append(name)
        readers = ((itemgetter(*names, names[0]), space) for space, names in spaces.values())  # of one: a tuple, too
        self._names = [(read, space, read(space)) for read, space in readers]
        self._sized = list(sized)
        self._sizes = list(map(len, self._sized))

    def woken(self, with_slots: Iterable[Look], with_sizes: Iterable[Look]) -> list[Look]:
        """Who has to look at what is not as it was."""
        return [*(() if self.shows_names() else with_slots), *(() if self.shows_sizes() else with_sizes)]

    def shows_names(self) -> bool:
        try:
            for read, space, values in self._names:
                if not all(map(is_, read(space), values)):
                    return False
        except KeyError:  # it was deleted
            return False
        return True

    def shows_sizes(self) -> bool:
        return list(map(len, self._sized)) == self._sizes


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
        self._pictures: list[_Picture] = []

    def _sleepers_with(self, what: str) -> Looks:
        return {look: area for look, area in self.asleep.items() if hasattr(area, what)}

    def without(self, area: Area) -> Eyes:
        """The others."""
        return Eyes([one for one in self._areas if one is not area])

    def woken(self) -> Looks:
        """What is to be looked at beside that of ``always``."""
        if len(real.modules) != self._loaded or next(reversed(real.modules), None) is not self._youngest:
            return self.asleep
        looks = [] if self._is_as_before() else self._pictures[0].woken(self._with_slots, self._with_sizes)
        if any(self._stirred):
            looks += [look for look, found in zip(self._whose, self._stirred, strict=True) if found]
        return {look: self.asleep[look] for look in looks}

    def _is_as_before(self) -> bool:
        for number, picture in enumerate(self._pictures):
            if picture.shows_names() and picture.shows_sizes():
                if number:  # the next look comes at the same moment of the next test
                    self._pictures.insert(0, self._pictures.pop(number))
                return True
        return False

    def close_again(self, *, has_found: bool = True) -> None:
        """Those that were woken have been looked at; had none of them news, it may change back and forth like that.

        pytest does so all the time: what it captures with is in place while a phase of a test runs, and else not.
        """
        loaded, youngest = len(real.modules), next(reversed(real.modules), None)
        if has_found or loaded != self._loaded or youngest is not self._youngest:
            self._pictures.clear()
            self._loaded = -1  # all are asked again, should one of them have no answer now
        pairs = [(look, one) for look, area in self.asleep.items() for one in area.stirred if one is not False]  # type: ignore[attr-defined]
        self._whose, self._stirred = [look for look, _ in pairs], [one for _, one in pairs]
        if not self._is_as_before():
            slots = [slot for area in self._with_slots.values() for slot in area.slots]  # type: ignore[attr-defined]
            sized = [one for area in self._with_sizes.values() for one in area.sizes]  # type: ignore[attr-defined]
            self._pictures.insert(0, _Picture(slots, sized))
            del self._pictures[_REMEMBERED:]
        self._loaded, self._youngest = loaded, youngest
